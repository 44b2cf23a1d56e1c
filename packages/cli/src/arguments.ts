import { parseArgs, type ParseArgsConfig } from "node:util";
import { CmcpError } from "@cmcp/boundary";

type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * `parseArgs` that is strict and speaks our errors. Nothing is ignored: an argument too many is refused as an unknown
 * option is, and so is a second value of an option that has one.
 * @param takes the name of the one argument that is no option, such as `FOLDER`; without it there is none
 * @throws CmcpError `USAGE`
 */
export function readArguments<T extends Options>(args: readonly string[], options: T, takes?: string) {
  const { values, positionals, tokens } = parsed(args, options);
  if (positionals.length > (takes === undefined ? 0 : 1))
    throw new CmcpError(
      "USAGE",
      takes === undefined
        ? "all that the command takes is named by options, and something else was given"
        : `one ${takes} at a time`,
    );
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== "option" || token.value === undefined || options[token.name]?.multiple === true) continue;
    if (given.has(token.name)) throw new CmcpError("USAGE", `--${token.name} is given twice`);
    given.add(token.name);
  }
  return { values, positional: positionals[0] };
}

function parsed<T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: joined(args, options), options, allowPositionals: true, strict: true, tokens: true });
  } catch (thrown) {
    throw new CmcpError("USAGE", thrown instanceof Error ? thrown.message : "the arguments were not understood", {
      cause: thrown,
    });
  }
}

/** The value of an option that must be given. @throws CmcpError `USAGE` */
export function required(value: string | undefined, name: string): string {
  if (value === undefined || value === "") throw new CmcpError("USAGE", `${name} is required`);
  return value;
}

/**
 * Joins an option with a value that begins with a dash, as one base64url key in 64 does. What is itself a
 * known option stays one.
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
