import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../gateway/deployment.ts";

/** Something of `test/e2e` that is not run with the enclave in a machine: a file, or a test or suite of it. */
interface LeftOut {
  readonly file: string;
  readonly test?: string;
  readonly why: string;
}

const COMMANDS = "tries commands; no enclave runs, or is only asked what other files ask it";
const NOT_HERE =
  "looks for processes of servers, which are in the machine, or starts a second one; stdio.vm.ts tries the like";
const PROCESS = "has an enclave process of its own making";
/** An emulated machine takes half a minute to come up; what is left out for that is tried against the process alone. */
const TIME = "time";

/** What is run: where attestation, restarts, the carrier or the spawner of a machine could make a difference. */
const RUN: readonly string[] = [
  "calls.test.ts",
  "eras.process.test.ts",
  "interrupted-export.process.test.ts",
  "launch-rights.process.test.ts",
  "modes.process.test.ts",
  "per-call-claims.test.ts",
  "policy-reload.process.test.ts",
  "session-reset.process.test.ts",
  "sessions.process.test.ts",
  "stdio.process.test.ts",
];

export const LEFT_OUT: readonly LeftOut[] = [
  { file: "catalog-commands.process.test.ts", why: COMMANDS },
  { file: "cookbook.test.ts", why: COMMANDS },
  { file: "policy-explain.process.test.ts", why: COMMANDS },
  { file: "commands.process.test.ts", why: COMMANDS },
  { file: "software-only.process.test.ts", why: "software attestation, which the image does not have" },
  { file: "server-add.process.test.ts", why: "software attestation, which the image does not have" },
  { file: "server-add-bundles.process.test.ts", why: "software attestation, which the image does not have" },
  { file: "init.process.test.ts", why: "software attestation, which the image does not have" },
  { file: "approvals-register.process.test.ts", why: COMMANDS },
  { file: "published-log.process.test.ts", why: "reads the store of a gateway in this process" },
  { file: "log-commands.process.test.ts", why: "reads the store of a gateway whose enclave it kills" },
  { file: "policy-commands.process.test.ts", why: COMMANDS },
  {
    file: "refused-starts.process.test.ts",
    why:
      "starts that are refused, nearly all by the host before anything runs; " +
      "what a machine refuses is in launch.vm.ts, release.vm.ts and POLICY-TEE-002",
  },
  { file: "stdio.process.test.ts", test: "no server outlives the gateway", why: NOT_HERE },
  {
    file: "stdio.process.test.ts",
    test: "a tool that is not as approved refuses the start, and only where drift is to be refused",
    why: NOT_HERE,
  },
  { file: "stdio.process.test.ts", test: "a changed byte in the files of a server refuses the start", why: NOT_HERE },
  { file: "stdio-secrets.process.test.ts", why: NOT_HERE },
  { file: "stdio-unconfined.process.test.ts", why: "a gateway without a spawner; an image has one" },
  { file: "sessions.process.test.ts", test: "a session that is being closed", why: PROCESS },
  {
    file: "verify.process.test.ts",
    why:
      "the verifier's verdicts on a record without hardware; " +
      "a machine's record is verified in modes, policy-reload, per-call-claims and session-reset",
  },
  {
    file: "policy-reload.process.test.ts",
    test: "in development, a gateway with a pinned signing key and a pinned hash",
    why: "software attestation, which a machine with a TPM does not use",
  },
  {
    file: "launch-rights.process.test.ts",
    test: "what an agent gets verifies beside the document that an auditor gets",
    why: "software attestation, which a machine with a TPM does not use",
  },
  { file: "limits.test.ts", why: "moves the enclave's clock, and a machine has its own" },
  { file: "long-bundles.long.test.ts", why: COMMANDS },
  { file: "policy-keys.process.test.ts", why: PROCESS },
  { file: "sealed-key-rotation.test.ts", why: "an enclave that replaces its keys after a few requests" },
  { file: "lost-output.process.test.ts", why: "what the host and commands print; the enclave has no part in it" },
  { file: "signals.process.test.ts", why: PROCESS },
  { file: "eras.process.test.ts", test: "in front of a server that speaks 2025-11-25 alone", why: TIME },
  { file: "modes.process.test.ts", test: "enforcement mode silent", why: TIME },
  { file: "per-call-claims.test.ts", test: "a gateway that claims when a session closes", why: TIME },
  {
    file: "policy-reload.process.test.ts",
    test: "in production, a gateway with a pinned signing key and no pinned hash",
    why: TIME,
  },
  { file: "policy-reload.process.test.ts", test: "a gateway without reload", why: TIME },
  { file: "sessions.process.test.ts", test: "ten thousand sessions of one principal", why: TIME },
];

const FOLDER = join(ROOT, "test/e2e");
const all = readdirSync(FOLDER).filter((name) => name.endsWith(".test.ts"));
/** What of `test/e2e` is run with the enclave in a machine. */
export interface Selection {
  readonly leftOut: readonly LeftOut[];
  readonly files: readonly string[];
  /** Names of tests and suites of those files that are not run. */
  readonly skipped: readonly string[];
}

/** What is run: with `whole` also what is left out for the time that it takes. */
export function selection(whole: boolean): Selection {
  const named = LEFT_OUT.filter(({ why }) => !whole || why !== TIME);
  const impossible = new Set(named.filter(({ test }) => test === undefined).map(({ file }) => file));
  const files = all.filter((name) => !impossible.has(name) && (whole || RUN.includes(name)));
  const slow = all.filter((name) => !impossible.has(name) && !files.includes(name));
  const leftOut = [...named, ...slow.map((file) => ({ file, why: TIME }))];
  return { leftOut, files, skipped: named.flatMap(({ test }) => test ?? []) };
}

/** Text of a file of `test/e2e`. */
export const sourceOf = (file: string): string => readFileSync(join(FOLDER, file), "utf8");
