import type { Readable } from "node:stream";
import type { Log } from "../log.ts";
import type { ConsoleFile } from "./console-file.ts";

/** Characters of one line that are kept; the rest of the line is dropped. */
export const LINE_CHARACTERS = 2_048;
/** Lines a second and stream that are kept; more are counted and reported as one event. */
export const LINES_PER_SECOND = 100;

/**
 * Logs what the enclave, or a program it needs, prints, line by line, and writes the lines to a console file if there
 * is one. The host is not the judge of what the enclave says there (the enclave never prints payloads), only of how
 * much of it there is.
 */
export function logOutput(output: Readable, stream: "stdout" | "stderr", log: Log, console?: ConsoleFile): void {
  let pending = "";
  let window = 0;
  let count = 0;
  let dropped = 0;
  const reportDropped = (): void => {
    if (dropped > 0) log.warn("enclave output dropped", { stream, dropped });
    dropped = 0;
  };
  const keep = (line: string): void => {
    console?.write(line);
    const second = Math.floor(performance.now() / 1_000);
    if (second !== window) {
      reportDropped();
      window = second;
      count = 0;
    }
    if (count >= LINES_PER_SECOND) dropped += 1;
    else {
      count += 1;
      log.info("enclave output", { stream, line });
    }
  };
  output.setEncoding("utf8");
  output.on("data", (text: string) => {
    const lines = text.split("\n");
    for (const [index, part] of lines.entries()) {
      if (pending.length < LINE_CHARACTERS) pending += part.slice(0, LINE_CHARACTERS - pending.length);
      if (index === lines.length - 1) continue;
      keep(pending);
      pending = "";
    }
  });
  output.once("close", () => {
    if (pending !== "") keep(pending);
    reportDropped();
  });
}
