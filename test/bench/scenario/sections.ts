import type { Row } from "../report/row.ts";
import type { Bench } from "./bench.ts";

/** One part of the report, measured by itself. */
export interface Section {
  /** What `--only` calls it. */
  readonly name: string;
  readonly title: string;
  /** Measured only when it is named: it takes long. */
  readonly named?: boolean;
  readonly measure: (bench: Bench) => Promise<readonly Row[]>;
}

/**
 * Everything that is measured, in the order of the report. Each is loaded when it is its turn, so that one that
 * cannot be loaded stops no other.
 */
export const SECTIONS: readonly Section[] = [
  {
    name: "plain",
    title: "Plain upstream",
    measure: async (bench) => (await import("./proxying.ts")).proxying(bench, "plain"),
  },
  {
    name: "tls",
    title: "TLS upstream with a pinned key",
    named: true,
    measure: async (bench) => (await import("./proxying.ts")).proxying(bench, "tls-pinned"),
  },
  {
    name: "runtime",
    title: "The public gateway, cmcp-runtime",
    measure: async (bench) => (await import("./runtime.ts")).runtime(bench),
  },
  { name: "policy", title: "Policy", measure: async (bench) => (await import("./cedar.ts")).cedar(bench) },
  { name: "start", title: "Start", measure: async (bench) => (await import("./ready.ts")).ready(bench) },
  {
    name: "history",
    title: "Start after a history",
    measure: async (bench) => (await import("./history.ts")).history(bench, bench.plan.history.calls),
  },
  {
    name: "million",
    title: "Start after a long history",
    named: true,
    measure: async (bench) => (await import("./history.ts")).history(bench, bench.plan.history.many),
  },
  {
    name: "stages",
    title: "Stages of one 2 KB call, each alone",
    named: true,
    measure: async (bench) => (await import("./stages.ts")).stages(bench),
  },
  {
    name: "streams",
    title: "Streams",
    named: true,
    measure: async (bench) => (await import("./streams/streams.ts")).streams(bench),
  },
  { name: "lists", title: "Lists", measure: async (bench) => (await import("./lists.ts")).lists(bench) },
  {
    name: "large-results",
    title: "Large results",
    measure: async (bench) => (await import("./large-results.ts")).largeResults(bench),
  },
  {
    name: "witnesses",
    title: "Witnesses",
    measure: async (bench) => (await import("./witnesses.ts")).witnesses(bench),
  },
  { name: "sealed", title: "Sealed calls", measure: async (bench) => (await import("./sealed.ts")).sealed(bench) },
  { name: "disk", title: "Disk", measure: async (bench) => (await import("./disk.ts")).disk(bench) },
  {
    name: "long-session",
    title: "A long session",
    measure: async (bench) => (await import("./storms/long-session.ts")).longSession(bench),
  },
  {
    name: "close-storm",
    title: "Many closes at once",
    measure: async (bench) => (await import("./storms/close-storm.ts")).closeStorm(bench),
  },
  {
    name: "export-storm",
    title: "Many exports at once",
    measure: async (bench) => (await import("./storms/export-storm.ts")).exportStorm(bench),
  },
  {
    name: "stop",
    title: "A stop with many sessions open",
    named: true,
    measure: async (bench) => (await import("./storms/stop.ts")).stop(bench),
  },
  {
    name: "evidence",
    title: "Evidence",
    named: true,
    measure: async (bench) => (await import("./evidence/evidence.ts")).evidence(bench),
  },
  {
    name: "vm",
    title: "Image and virtual machine",
    named: true,
    measure: async (bench) => (await import("./vm/vm.ts")).vm(bench),
  },
  {
    name: "memory",
    title: "Memory of the enclave",
    named: true,
    measure: async (bench) => (await import("./memory.ts")).memory(bench),
  },
];
