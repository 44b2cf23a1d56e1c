import { ByteReader, CmcpError } from "@cmcp/boundary";

/** A little-endian reader of an input. Its errors are `MEASURE_INPUT_INVALID` and begin with `name`. */
export function inputReader(bytes: Uint8Array, name: string): ByteReader {
  return new ByteReader(bytes, name, "little", "MEASURE_INPUT_INVALID");
}

/** The error for an input that breaks its format or a limit. `what` names the structure, `why` what is wrong with it. */
export function invalid(what: string, why: string): CmcpError {
  return new CmcpError("MEASURE_INPUT_INVALID", `${what}: ${why}`);
}

/** The error for an input that is well formed and whose measurement does not follow from it alone. */
export function notPredictable(what: string, why: string): CmcpError {
  return new CmcpError("MEASURE_NOT_PREDICTABLE", `${what}: ${why}`);
}
