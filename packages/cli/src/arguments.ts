import { parseArgs, type ParseArgsConfig } from "node:util";
import { CmcpError } from "@cmcp/boundary";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** `parseArgs` that is strict and speaks our errors. @throws CmcpError `USAGE` */
export function readArguments<T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: joined(args, options), options, allowPositionals: true, strict: true });
  } catch (thrown) {
    throw new CmcpError("USAGE", thrown instanceof Error ? thrown.message : "the arguments were not understood", { cause: thrown });
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
