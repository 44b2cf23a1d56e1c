import * as z from "zod";
import { MAX_VARIABLES, OWN_VARIABLES } from "./limits.ts";
import { DEFAULT_BOUNDS, type ServerBounds } from "./server.ts";

const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: "must be letters, digits and _" })
  .max(128);

const serverSchema = z.strictObject({
  environment: z
    .record(
      variable,
      z
        .string()
        .max(4096)
        .refine((text) => !text.includes("\0"), { error: "must not contain a NUL character" }),
    )
    // HOME, TMPDIR, PATH and LANG are always there, and three more name the way out of a server that has one.
    .refine((variables) => Object.keys(variables).length <= MAX_VARIABLES - OWN_VARIABLES, {
      error: `at most ${MAX_VARIABLES - OWN_VARIABLES} variables`,
    })
    .default({})
    .describe(
      "Environment variables of the server, beside HOME, TMPDIR, PATH and LANG. They are measured: no place for " +
        "secrets.",
    ),
  tasks: z
    .int()
    .min(1)
    .max(1024)
    .default(DEFAULT_BOUNDS.tasks)
    .describe("Processes and threads of one running server at one time."),
  memory_mib: z
    .int()
    .min(16)
    .max(65_536)
    .default(DEFAULT_BOUNDS.memoryMib)
    .describe(
      "Memory of one running server, in MiB: private writable address space of each of its processes, of which " +
        "Node sets 512 aside before it runs anything; and what all of them hold together by whatever means. A " +
        "server that holds more is ended.",
    ),
  scratch_mib: z
    .int()
    .min(1)
    .max(4096)
    .default(DEFAULT_BOUNDS.scratchMib)
    .describe("Size of /tmp, the only place it can write to, in MiB. It is empty at every start."),
  open_files: z
    .int()
    .min(16)
    .max(4096)
    .default(DEFAULT_BOUNDS.openFiles)
    .describe("Open descriptors of one of its processes."),
  cpu_seconds: z
    .int()
    .min(1)
    .max(86_400 * 30)
    .default(DEFAULT_BOUNDS.cpuSeconds)
    .describe("Processor time of one of its processes, in seconds; then it is ended."),
});

/** `enclave.stdio`: how stdio servers run. Part of the launch document. */
export const stdioSchema = z.strictObject({
  max_processes: z
    .int()
    .min(1)
    .max(128)
    .default(64)
    .describe("stdio servers that run at one time: one process for each principal and server."),
  max_processes_per_principal: z
    .int()
    .min(1)
    .max(128)
    .default(8)
    .describe("Of those, for one principal; beyond the first at most half of the places that others do not use."),
  idle_seconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(300)
    .describe(
      "Seconds without use after which a stdio server is ended. What it holds in memory and /tmp is then gone.",
    ),
  servers: z
    .record(z.string().min(1).max(1024), serverSchema)
    .default({})
    .describe("Settings of single stdio servers, by their name in the catalog."),
});

/** `enclave.stdio` with its defaults. */
export type StdioSettings = z.output<typeof stdioSchema>;
/** Settings of one server. */
export type StdioServerSettings = z.output<typeof serverSchema>;

/** The settings of a server that the configuration does not name. */
export function defaultServerSettings(): StdioServerSettings {
  return serverSchema.parse({});
}

/** The bounds among a server's settings. */
export function boundsOf({
  tasks,
  memory_mib,
  scratch_mib,
  open_files,
  cpu_seconds,
}: StdioServerSettings): ServerBounds {
  return { tasks, memoryMib: memory_mib, scratchMib: scratch_mib, openFiles: open_files, cpuSeconds: cpu_seconds };
}
