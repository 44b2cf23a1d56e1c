import { CmcpError } from "@cmcp/boundary";
import { readArguments, required } from "../arguments.ts";
import { EXIT, type Command } from "../command.ts";
import { SCRIPTS } from "./scripts.ts";
import { commandWords, type CommandTable } from "./words.ts";

const HELP = `Usage: cmcp completion SHELL [--json]

Prints a script with which SHELL, one of bash, zsh and fish, completes the commands of cmcp and their options.

  bash  source <(cmcp completion bash)
  zsh   source <(cmcp completion zsh), after compinit; or the file _cmcp in a folder of $fpath
  fish  cmcp completion fish | source

  --json  one line: ok, shell, script

Exit codes: 0 printed, 64 usage.
Example:    cmcp completion bash
`;

/** `cmcp completion`, for the commands of a table. */
export const completionOf = (table: CommandTable): Command => ({
  help: HELP,
  async run(args, { out }) {
    const { values, positional } = readArguments(args, { json: { type: "boolean", default: false } }, "SHELL");
    const shell = required(positional, "SHELL");
    const write = SCRIPTS.get(shell);
    if (write === undefined) throw new CmcpError("USAGE", `SHELL is one of ${[...SCRIPTS.keys()].join(", ")}`);
    const script = write(await commandWords(table));
    out.write(values.json ? `${JSON.stringify({ ok: true, shell, script })}\n` : script);
    return EXIT.ok;
  },
});
