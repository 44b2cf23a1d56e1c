import { parseArgs, type ParseArgsConfig } from "node:util";
import { CmcpError } from "@cmcp/boundary";

type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * Strict `parseArgs`. Unknown options, surplus arguments and a second value of a single-valued option are refused.
 * @param takes names of the positional arguments, such as `FOLDER`; without it none is allowed
 * @throws CmcpError `USAGE`
 */
export function readArguments<T extends Options>(args: readonly string[], options: T, ...takes: readonly string[]) {
  const { values, positionals, tokens } = parsed(args, options);
  if (positionals.length > takes.length)
    throw new CmcpError(
      "USAGE",
      takes.length === 0
        ? "the command takes options only, and got another argument"
        : `the command takes one ${takes.join(" and one ")} only`,
    );
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== "option" || token.value === undefined || options[token.name]?.multiple === true) continue;
    if (given.has(token.name)) throw new CmcpError("USAGE", `--${token.name} is given twice`);
    given.add(token.name);
  }
  return { values, positional: positionals[0], second: positionals[1] };
}

function parsed<T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: joined(args, options), options, allowPositionals: true, strict: true, tokens: true });
  } catch (thrown) {
    throw new CmcpError("USAGE", thrown instanceof Error ? thrown.message : "the arguments cannot be parsed", {
      cause: thrown,
    });
  }
}

/** The value of a required option. @throws CmcpError `USAGE` */
export function required(value: string | undefined, name: string): string {
  if (value === undefined || value === "") throw new CmcpError("USAGE", `${name} is required`);
  return value;
}

/**
 * Joins an option with a value that begins with a dash, as one base64url key in 64 does. A known option is not taken
 * for a
 * value.
 */
function joined(args: readonly string[], options: Options): string[] {
  const result: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const [name = "", next = ""] = [args[at], args[at + 1]];
    const takesValue = name.startsWith("--") && options[name.slice(2)]?.type === "string";
    const isOption = next.startsWith("--") && options[next.slice(2).split("=", 1)[0] ?? ""] !== undefined;
    if (takesValue && next.startsWith("-") && !isOption) {
      result.push(`${name}=${next}`);
      at += 1;
    } else result.push(name);
  }
  return result;
}
