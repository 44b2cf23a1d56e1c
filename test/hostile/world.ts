import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Opening } from "@cmcp/wire";
import { Patience } from "./agent.ts";
import { CONTROL, deployed, type Deployed } from "./host/deployment.ts";
import { HostileHost } from "./host/host.ts";
import type { KeptHead, KeptRecord, ShownLog } from "./host/kept.ts";
import { Impostors } from "./host/relay.ts";
import type { Find, Finding, Rule } from "./oracle/finding.ts";
import { MARK } from "./oracle/marks.ts";
import { shownPast, type AnsweredScan, type ReceivedLog, type ShownPast } from "./oracle/past.ts";
import { ApprovalOracle, APPROVED_TOOL } from "./oracle/approvals.ts";
import { RecordOracle } from "./oracle/record.ts";
import { SECRET, startToolServer, type ToolServer } from "./server.ts";

/** Bytes of a stream that are kept so that a mark cut in two is found. */
const OVERLAP = 64;

/** One deployment with its tool server, its lying host and what watches them. Several schedules run in it, one after the other. */
export class World {
  readonly host: HostileHost;
  readonly record: RecordOracle;
  readonly approvals: ApprovalOracle;
  readonly deployed: Deployed;
  readonly impostors: Impostors;
  readonly patience = new Patience();
  /** How often each mark reached the server. */
  readonly reached = new Map<string, number>();
  /** Looks at bytes that the enclave sent towards a tool server. */
  readonly seen: (bytes: Uint8Array) => void;
  /** No further schedule may run in it. */
  spent = false;
  readonly #close: (() => Promise<unknown>)[];
  readonly #findings: Finding[];
  readonly #shown: Shown;
  #principals = 0;
  #reloads = 0;

  private constructor(parts: {
    host: HostileHost;
    record: RecordOracle;
    approvals: ApprovalOracle;
    deployed: Deployed;
    impostors: Impostors;
    patience: Patience;
    reached: Map<string, number>;
    close: (() => Promise<unknown>)[];
    findings: Finding[];
    shown: Shown;
    seen: (bytes: Uint8Array) => void;
  }) {
    this.seen = parts.seen;
    this.host = parts.host;
    this.record = parts.record;
    this.approvals = parts.approvals;
    this.deployed = parts.deployed;
    this.impostors = parts.impostors;
    this.patience = parts.patience;
    this.reached = parts.reached;
    this.#close = parts.close;
    this.#findings = parts.findings;
    this.#shown = parts.shown;
  }

  /** Starts everything, with an enclave that serves. */
  static async start(): Promise<World> {
    const close: (() => Promise<unknown>)[] = [];
    const folder = await mkdtemp(join(tmpdir(), "cmcp-hostile-"));
    close.push(() => rm(folder, { recursive: true, force: true }));
    const findings: Finding[] = [];
    const find: Find = (rule, what) => findings.push({ rule, what });
    const record = new RecordOracle(find);
    const reached = new Map<string, number>();
    const approvals = new ApprovalOracle(find);
    const arrived = arrivals(record, reached, find);
    const server: ToolServer = await startToolServer((tool, mark) => {
      arrived(tool, mark);
      if (tool === APPROVED_TOOL) approvals.reached(mark);
    });
    close.push(() => server.close());
    const impostors = await Impostors.start();
    close.push(() => impostors.close());
    const patience = new Patience();
    const shown = new Shown();
    const inputs = await deployed(join(folder, "deployment"), server);
    const seen = payloadIn(find);
    const host = await HostileHost.start(inputs, impostors, {
      arrived: (records, head) => {
        record.arrived(records);
        approvals.arrived(records);
        record.signed(head);
      },
      acknowledged: (records) => {
        record.acknowledged(records);
        approvals.acknowledged(records);
      },
      forked: (first) => find("record", `records came for index ${first} that do not continue the log`),
      headShown: (head) => shown.head(head),
      shown: (filter, records) => shown.take(filter, records),
      stalled: () => patience.lost(),
      crashed: (how) => find("crash", `the process ended by itself: ${how}`),
      seen,
    });
    close.push(() => host.close());
    const refused = await host.startEnclave();
    if (refused !== null) throw new Error(`the enclave refused its launch: ${refused}`);
    return new World({
      host,
      record,
      approvals,
      deployed: inputs,
      impostors,
      patience,
      reached,
      close,
      findings,
      shown,
      seen,
    });
  }

  readonly find: Find = (rule: Rule, what: string) => {
    this.#findings.push({ rule, what });
  };

  /** What was found since this was asked last. */
  findings(): Finding[] {
    return this.#findings.splice(0);
  }

  /** Two principals that have done nothing yet; `null` when there are no more. */
  principals(): readonly [number, number] | null {
    if (this.#principals + 2 > CONTROL) return null;
    this.#principals += 2;
    return [this.#principals - 2, this.#principals - 1];
  }

  /** Puts the next higher policy in force. Returns how many were before it in this world. */
  async reload(waitMs: number): Promise<number> {
    const next = this.deployed.reloads.newer[this.#reloads];
    if (next === undefined) return 0;
    const code = await this.host.control({ t: "reload" }, next, waitMs);
    if (code === null) this.#reloads += 1;
    return code === null ? this.#reloads - 1 : 0;
  }

  /** Starts another enclave. Returns what it refused, and what it was shown of the past. @param log as the host shows it */
  async restart(log?: ShownLog): Promise<{ readonly refused: string | null; readonly past: ShownPast }> {
    const { store } = this.host;
    await store.begin(log ?? store.log);
    this.record.continues(store.log.head?.size ?? 0);
    this.#shown.begin();
    const refused = await this.host.startEnclave();
    return { refused, past: this.#shown.end(store) };
  }

  async close(): Promise<void> {
    for (const step of this.#close.splice(0).toReversed()) await step();
  }
}

/** Finds payload in what goes out, cut in two or not. */
function payloadIn(find: Find): (bytes: Uint8Array) => void {
  let tail = "";
  return (bytes) => {
    const text = tail + Buffer.from(bytes).toString("latin1");
    if (text.includes(MARK) || text.includes(SECRET)) find("cleartext", "a payload went out in cleartext");
    tail = text.slice(-OVERLAP);
  };
}

/** What an enclave was shown of the log while it started. */
class Shown {
  #head: KeptHead | null = null;
  #scans: AnsweredScan[] = [];
  #listening = false;

  begin(): void {
    this.#head = null;
    this.#scans = [];
    this.#listening = true;
  }

  head(head: KeptHead | null): void {
    if (this.#listening) this.#head = head;
  }

  take(filter: Extract<Opening, { t: "scan" }>, records: readonly KeptRecord[]): void {
    // The log is read by index. Everything else is of a session or of a kind.
    if (this.#listening && filter.session === undefined && filter.kind === undefined)
      this.#scans.push({ filter, records });
  }

  end(log: ReceivedLog): ShownPast {
    this.#listening = false;
    return shownPast(this.#head, this.#scans, log);
  }
}

/** What is held against every call that reaches the server. */
export function arrivals(
  record: RecordOracle,
  reached: Map<string, number>,
  find: Find,
): (tool: string, mark: string) => void {
  const counts = new Map<string, number>();
  return (tool, mark) => {
    reached.set(mark, (reached.get(mark) ?? 0) + 1);
    const count = (counts.get(tool) ?? 0) + 1;
    counts.set(tool, count);
    if (tool === "erase_record") find("forbidden", "a call that policy never allows reached the server");
    const announced = record.announced.get(tool) ?? 0;
    if (count > announced)
      find("unrecorded", `call ${count} of ${tool} reached the server while ${announced} were in the record`);
  };
}
