import { isAbsolute } from "node:path";
import { CmcpError, isJsonObject, parseJson, untrusted } from "@cmcp/boundary";
import { runProgram, type Program } from "./run-program.ts";

const INSTALL =
  "uvx: sources need Python 3.11 or newer with pip (Debian and Ubuntu: python3 python3-pip; https://www.python.org), " +
  "or name one with --python.";
const OLDEST_MINOR = 11;
/** What is asked of a Python: where it and its standard library are, whatever environment it runs in. */
const QUESTION = `import json, os, sys, sysconfig
executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
variables = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix, "installed_base": sys.base_prefix}
print(json.dumps({"executable": executable, "stdlib": sysconfig.get_path("stdlib", vars=variables),
  "major": sys.version_info[0], "minor": sys.version_info[1]}))`;

/** A Python of the machine. */
export interface Python {
  readonly program: Program;
  /** Its real path, outside virtual environments. */
  readonly executable: string;
  /** Folder of its standard library. */
  readonly stdlib: string;
  /** `python3.11` and the like: the name of its library's folder. */
  readonly folderName: string;
}

/**
 * Finds the machine's Python.
 * @param program its name or path
 * @throws CmcpError `PROGRAM_MISSING` where there is none, or one that is too old
 */
export async function findPython(program: string, cwd: string): Promise<Python> {
  const python = { program, install: INSTALL };
  const missing = (why: string): CmcpError => new CmcpError("PROGRAM_MISSING", `${program} ${why}. ${INSTALL}`);
  const { code, stdout } = await runProgram(python, ["-I", "-c", QUESTION], cwd);
  if (code !== 0) throw missing("does not say where it is");
  const answer = parseJson(untrusted(Buffer.from(stdout)));
  const { executable, stdlib, major, minor } = isJsonObject(answer) ? answer : {};
  if (typeof executable !== "string" || typeof stdlib !== "string" || !isAbsolute(executable) || !isAbsolute(stdlib))
    throw missing("does not say where it is");
  if (major !== 3 || typeof minor !== "number" || minor < OLDEST_MINOR)
    throw missing(`is older than 3.${OLDEST_MINOR}`);
  return { program: python, executable, stdlib, folderName: `python3.${minor}` };
}
