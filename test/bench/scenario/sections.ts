import type { Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";

/** One part of the report, measured by itself. */
export interface Section {
  /** What `--only` calls it. */
  readonly name: string;
  readonly title: string;
  readonly measure: (bench: Bench) => Promise<readonly Row[]>;
}

/** Everything that is measured, in the order of the report. Each is loaded when it is its turn, so that one that cannot be loaded stops no other. */
export const SECTIONS: readonly Section[] = [
  {
    name: "plain",
    title: "Plain upstream",
    measure: async (bench) => (await import("./proxying.ts")).proxying(bench, "plain"),
  },
  {
    name: "tls",
    title: "TLS upstream with a pinned key",
    measure: async (bench) => (await import("./proxying.ts")).proxying(bench, "tls-pinned"),
  },
  { name: "policy", title: "Policy", measure: async (bench) => (await import("./cedar.ts")).cedar(bench) },
  { name: "start", title: "Start", measure: async (bench) => (await import("./ready.ts")).ready(bench) },
  {
    name: "history",
    title: "Start after a history",
    measure: async (bench) => (await import("./history.ts")).history(bench),
  },
  {
    name: "stages",
    title: "Stages of one 2 KB call, each alone",
    measure: async (bench) => (await import("./stages.ts")).stages(bench),
  },
  {
    name: "streams",
    title: "Streams",
    measure: async (bench) => (await import("./streams/streams.ts")).streams(bench),
  },
  {
    name: "evidence",
    title: "Evidence",
    measure: async (bench) => (await import("./evidence/evidence.ts")).evidence(bench),
  },
  { name: "vm", title: "Image and virtual machine", measure: async (bench) => (await import("./vm/vm.ts")).vm(bench) },
  {
    name: "memory",
    title: "Memory of the enclave",
    measure: async (bench) => (await import("./memory.ts")).memory(bench),
  },
];
