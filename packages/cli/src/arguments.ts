import { parseArgs, type ParseArgsConfig } from "node:util";
import { CmcpError } from "@cmcp/boundary";

type Options = NonNullable<ParseArgsConfig["options"]>;

/** `parseArgs` that is strict and speaks our errors. @throws CmcpError `USAGE` */
export function readArguments<T extends Options>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (thrown) {
    throw new CmcpError("USAGE", thrown instanceof Error ? thrown.message : "the arguments were not understood", { cause: thrown });
  }
}

/** The value of an option that must be given. @throws CmcpError `USAGE` */
export function required(value: string | undefined, name: string): string {
  if (value === undefined || value === "") throw new CmcpError("USAGE", `${name} is required`);
  return value;
}
