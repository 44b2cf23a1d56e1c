import process from "node:process";
import { asCmcpError, CmcpError } from "@cmcp/boundary";
import { EXIT, type Terminal } from "./command.ts";
import { commandOf, groupOverview, overview } from "./commands.ts";
import { MalformedInput } from "./malformed-input.ts";
import { printVersion } from "./version.ts";

const HELP_WORDS: readonly (string | undefined)[] = ["--help", "-h", "help"];

async function runAndReport(args: readonly string[], terminal: Terminal): Promise<number> {
  const [first] = args;
  if (first === undefined || HELP_WORDS.includes(first)) {
    terminal.out.write(overview());
    return first === undefined ? EXIT.usage : EXIT.ok;
  }
  try {
    return await run(args, terminal);
  } catch (thrown) {
    return reportError(
      asCmcpError(
        thrown,
        "INTERNAL",
        `the command failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      ),
      args.includes("--json"),
      terminal,
    );
  }
}

async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  if (args[0] === "--version") {
    await printVersion(args.slice(1), terminal);
    return EXIT.ok;
  }
  const named = commandOf(args);
  switch (named.is) {
    case "command": {
      const command = await named.load();
      if (!named.rest.includes("--help") && !named.rest.includes("-h")) return await command.run(named.rest, terminal);
      terminal.out.write(command.help);
      return EXIT.ok;
    }
    case "group": {
      const { group, rest } = named;
      const help = rest.some((word) => HELP_WORDS.includes(word));
      if (!help && rest.length > 0)
        throw new CmcpError("USAGE", `there is no such command of ${group}; cmcp ${group} --help lists them`);
      terminal.out.write(groupOverview(group));
      return help ? EXIT.ok : EXIT.usage;
    }
    case "nothing":
      throw new CmcpError("USAGE", `there is no command ${JSON.stringify(args[0])}; cmcp --help lists them`);
  }
}

/** Prints an error as text or as JSON, and returns the exit code. */
function reportError(error: CmcpError, asJson: boolean, terminal: Terminal): number {
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

let unwritten = false;
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  // A reader that closed the pipe, such as `head`, needs no more.
  if (code === "EPIPE" || unwritten) return;
  unwritten = true;
  process.stderr.write(`cmcp: standard output cannot be written (${code ?? "unknown error"})\n`);
  process.exitCode = EXIT.internal;
});
// The gateway's log goes to standard error. The gateway keeps serving when nobody can read it.
process.stderr.on("error", () => undefined);

const colour = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
const code = await runAndReport(process.argv.slice(2), { out: process.stdout, err: process.stderr, colour });
process.exitCode = unwritten ? EXIT.internal : code;
