import type { CmcpError } from "@cmcp/boundary";
import { EXIT, type Terminal } from "./command.ts";
import { MalformedInput } from "./malformed-input.ts";

/** Prints an error a person can act on, or the same as JSON, and chooses the exit code. */
export function reportError(error: CmcpError, asJson: boolean, terminal: Terminal): number {
  if (asJson) {
    terminal.out.write(
      `${JSON.stringify({ ok: false, error: { code: error.code, message: error.message, action: error.action } })}\n`,
    );
  } else {
    const [red, dim, reset] = terminal.colour ? ["\u001b[31m", "\u001b[2m", "\u001b[0m"] : ["", "", ""];
    terminal.err.write(`${red}${error.code}${reset}: ${error.message}\n${dim}what to do:${reset} ${error.action}\n`);
  }
  if (error.code === "USAGE") return EXIT.usage;
  if (error instanceof MalformedInput) return EXIT.malformed;
  return error.code === "INTERNAL" ? EXIT.internal : EXIT.rejected;
}
