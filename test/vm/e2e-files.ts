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

export const LEFT_OUT: readonly LeftOut[] = [
  { file: "catalog-commands.process.test.ts", why: COMMANDS },
  { file: "catalog-reload.process.test.ts", why: TIME },
  { file: "cookbook.test.ts", why: COMMANDS },
  { file: "policy-explain.process.test.ts", why: COMMANDS },
  { file: "commands.process.test.ts", why: COMMANDS },
  { file: "software-only.process.test.ts", why: "software attestation, which the image does not have" },
  { file: "server-add.process.test.ts", why: "software attestation, which the image does not have" },
  { file: "init.process.test.ts", why: "software attestation, which the image does not have" },
  { file: "approvals.process.test.ts", why: TIME },
  { file: "approvals-eras.process.test.ts", why: TIME },
  { file: "approval-notices.process.test.ts", why: TIME },
  { file: "deferred-calls.test.ts", why: TIME },
  { file: "authorization.process.test.ts", why: TIME },
  { file: "consent.process.test.ts", why: TIME },
  { file: "approvals-page.process.test.ts", why: TIME },
  { file: "approvals-page-attacks.process.test.ts", why: TIME },
  { file: "approvals-register.process.test.ts", why: COMMANDS },
  { file: "bound-tokens.process.test.ts", why: TIME },
  { file: "disclosures.process.test.ts", why: TIME },
  { file: "connect.process.test.ts", why: TIME },
  { file: "fetched-keys.process.test.ts", why: TIME },
  { file: "connect-lost-answers.process.test.ts", why: TIME },
  { file: "manifests.test.ts", why: TIME },
  { file: "server-trust.process.test.ts", why: TIME },
  { file: "provenance.process.test.ts", why: TIME },
  { file: "disclosure.process.test.ts", why: TIME },
  { file: "key-erasure.process.test.ts", why: TIME },
  { file: "postgres.process.test.ts", why: TIME },
  { file: "provision.process.test.ts", why: TIME },
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
  { file: "stdio-shared.process.test.ts", why: TIME },
  { file: "stdio-unconfined.process.test.ts", why: "a gateway without a spawner; an image has one" },
  { file: "server-faults.process.test.ts", why: TIME },
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

  { file: "argument-targets.test.ts", why: TIME },
  { file: "bad-input.process.test.ts", why: TIME },
  { file: "browsers.test.ts", why: TIME },
  { file: "buffered-bytes.test.ts", why: TIME },
  { file: "closed-sessions.long.test.ts", why: TIME },
  { file: "credentials.process.test.ts", why: TIME },
  { file: "flows.test.ts", why: TIME },
  { file: "held-store.long.test.ts", why: TIME },
  { file: "http-sse.test.ts", why: TIME },
  { file: "idempotency.test.ts", why: TIME },
  { file: "host-asserted-identity.process.test.ts", why: TIME },
  { file: "identity.process.test.ts", why: TIME },
  { file: "identity-configuration.process.test.ts", why: TIME },
  { file: "launch-document.process.test.ts", why: TIME },
  { file: "limits.test.ts", why: "moves the enclave's clock, and a machine has its own" },
  { file: "linked-sessions.process.test.ts", why: TIME },
  { file: "lists.test.ts", why: TIME },
  { file: "long-bundles.long.test.ts", why: COMMANDS },
  { file: "lost-answers.test.ts", why: TIME },
  { file: "many-tools.long.test.ts", why: TIME },
  { file: "meta-and-logging.test.ts", why: TIME },
  { file: "policy-keys.process.test.ts", why: PROCESS },
  { file: "principals.process.test.ts", why: TIME },
  { file: "questions.test.ts", why: TIME },
  { file: "retention.process.test.ts", why: TIME },
  { file: "results-withheld.test.ts", why: TIME },
  { file: "server-batches.test.ts", why: TIME },
  { file: "sealed-bad-input.test.ts", why: TIME },
  { file: "sealed-key-rotation.test.ts", why: "an enclave that replaces its keys after a few requests" },
  { file: "sealed-questions.test.ts", why: TIME },
  { file: "sealed-receipts.test.ts", why: TIME },
  { file: "sealed-replays.long.test.ts", why: TIME },
  { file: "sealed.test.ts", why: TIME },
  { file: "servers-that-change.test.ts", why: TIME },
  { file: "session-expiry.long.test.ts", why: TIME },
  { file: "lost-output.process.test.ts", why: "what the host and commands print; the enclave has no part in it" },
  { file: "signals.process.test.ts", why: PROCESS },
  { file: "stopping.test.ts", why: TIME },
  { file: "subscriptions.test.ts", why: TIME },
  { file: "unread-exports.long.test.ts", why: TIME },
  { file: "vocabulary.test.ts", why: TIME },
  { file: "workflows.test.ts", why: TIME },
  { file: "labels.test.ts", test: "with the integrity of each session by itself", why: TIME },
  {
    file: "before-the-result.process.test.ts",
    test: "a question that policy forbids is not put, and the record says so",
    why: TIME,
  },
  {
    file: "before-the-result.process.test.ts",
    test: "an error is passed on without what poses as the gateway has it",
    why: TIME,
  },
  {
    file: "before-the-result.process.test.ts",
    test: "where fields are redacted, neither an error nor a question has words of the server",
    why: TIME,
  },
  {
    file: "before-the-result.process.test.ts",
    test: "under silent it is put, and the record says that policy forbids it",
    why: TIME,
  },
  { file: "drift.test.ts", test: "an undrifted tool is called and the claim says so", why: TIME },
  {
    file: "drift.test.ts",
    test: "a tool changed before first contact is refused, recorded once, and never reached; the agent sees the approved text",
    why: TIME,
  },
  { file: "drift.test.ts", test: "warn_only records the drift and calls", why: TIME },
  {
    file: "drift.test.ts",
    test: "a server that does not list its tools is not called, and the call is recorded as not sent",
    why: TIME,
  },
  { file: "eras.process.test.ts", test: "in front of a server that speaks 2025-11-25 alone", why: TIME },
  { file: "modes.process.test.ts", test: "enforcement mode silent", why: TIME },
  { file: "per-call-claims.test.ts", test: "a gateway that claims when a session closes", why: TIME },
  {
    file: "policy-reload.process.test.ts",
    test: "in production, a gateway with a pinned signing key and no pinned hash",
    why: TIME,
  },
  { file: "policy-reload.process.test.ts", test: "a gateway without reload", why: TIME },
  {
    file: "refused-resets.process.test.ts",
    test: "for another instance is refused, a restarted one included; one that took effect outlives the restart",
    why: TIME,
  },
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
  const leftOut = LEFT_OUT.filter(({ why }) => !whole || !why.startsWith(TIME));
  const files = new Set(leftOut.filter(({ test }) => test === undefined).map(({ file }) => file));
  return { leftOut, files: all.filter((name) => !files.has(name)), skipped: leftOut.flatMap(({ test }) => test ?? []) };
}

/** Text of a file of `test/e2e`. */
export const sourceOf = (file: string): string => readFileSync(join(FOLDER, file), "utf8");
