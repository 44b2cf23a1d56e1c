import { createLog, type Log } from "../log.ts";

/** A real log at its most talkative, with what it wrote. */
export function memoryLog(): { log: Log; text: () => string } {
  let text = "";
  const log = createLog({
    level: "trace",
    destination: {
      write: (line) => {
        text += line;
      },
    },
  });
  return { log, text: () => text };
}
