import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { startChild, type Child, type ChildOptions } from "../child.ts";
import { endWithHost } from "./end-with-host.ts";

/** A program and the arguments that come before any other: where it is not installed, its loader's. */
export type Command = readonly [string, ...string[]];

/** The programs on the host's side. */
export interface MachinePrograms {
  readonly qemu: Command | null;
  /** Folders with QEMU's own firmware files, where they are not at their usual place. */
  readonly dataFolders: readonly string[];
  /** Carries vsock over a Unix socket where the host's kernel has none to give. */
  readonly vsockDaemon: Command | null;
  /** The software TPM of platform `vtpm`. */
  readonly swtpm: Command | null;
  /** Where `setpriv` of util-linux is; at its usual place when absent. */
  readonly setpriv?: string;
}

/** A program of the host's side. */
export type ProgramName = "qemu" | "vsockDaemon" | "swtpm";

/** What messages call a program, its file name, and the package of Debian and its kin that has it. */
const FACTS: Readonly<Record<ProgramName, { readonly what: string; readonly file: string; readonly package: string }>> =
  {
    qemu: { what: "QEMU", file: "qemu-system-x86_64", package: "qemu-system-x86" },
    vsockDaemon: { what: "the vsock daemon", file: "vhost-device-vsock", package: "vhost-device-vsock" },
    swtpm: { what: "the software TPM", file: "swtpm", package: "swtpm" },
  };

/** The programs as `PATH` has them. What is missing is said when a machine needs it. */
export function installedPrograms(path: string = process.env["PATH"] ?? ""): MachinePrograms {
  const find = (name: ProgramName): Command | null => {
    const found = path
      .split(delimiter)
      .filter((folder) => folder.startsWith("/"))
      .map((folder) => join(folder, FACTS[name].file))
      .find(isExecutable);
    return found === undefined ? null : [found];
  };
  return { qemu: find("qemu"), vsockDaemon: find("vsockDaemon"), swtpm: find("swtpm"), dataFolders: [] };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The command of a program that can be executed.
 * @throws CmcpError `LAUNCH_PROGRAM_MISSING`, which names the package that has it
 */
export function requireProgram(name: ProgramName, programs: MachinePrograms): Command {
  const command = programs[name];
  const { what, file, package: debian } = FACTS[name];
  if (command === null)
    throw new CmcpError(
      "LAUNCH_PROGRAM_MISSING",
      `${what} is needed and ${file} is not in PATH: install the package ${debian}`,
    );
  if (!isExecutable(command[0]))
    throw new CmcpError(
      "LAUNCH_PROGRAM_MISSING",
      `${what} is needed and ${command[0]} cannot be executed: install the package ${debian}`,
    );
  return command;
}

/** Starts a program that ends with this process at the latest. @throws CmcpError `LAUNCH_PROGRAM_MISSING` */
export function startProgram(
  name: ProgramName,
  programs: MachinePrograms,
  args: readonly string[],
  options: ChildOptions,
): Child {
  const command = requireProgram(name, programs);
  const { prefix, holdInput } = endWithHost(programs.setpriv);
  const child = startChild([...prefix, ...command, ...args], { ...options, holdInput });
  if (child === null) throw new CmcpError("LAUNCH_PROGRAM_MISSING", `${FACTS[name].what}: ${command[0]} did not start`);
  return child;
}
