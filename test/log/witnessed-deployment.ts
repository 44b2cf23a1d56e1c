/** A gateway whose log has real witnesses. */
import { mkdirSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openLogKey } from "@cmcp/host-proxy";
import { formatVerifierKey, type VerifierKey } from "@cmcp/log";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { Litewitness } from "./litewitness.ts";

const ORIGIN = "gateway.example/0";

/** The quickstart with witnesses, not started. */
export interface WitnessedDeployment {
  /** Path of the configuration. */
  readonly config: string;
  readonly folder: string;
  /** Three, of which two are a quorum. */
  readonly witnesses: readonly Litewitness[];
  readonly policy: string;
  /** By which the witnesses know the log. */
  readonly logKey: VerifierKey;
  readonly records: RecordsServer;
  /** Makes the key of another log in place of this one, and has witnesses accept it. */
  readonly acceptLog: (witnesses: readonly Litewitness[], origin: string) => Promise<void>;
}

/** Starts witnesses and a tool server, and deploys the quickstart over them. Everything ends with the test. */
export async function deployWitnessed(t: TestContext, waitMs: number): Promise<WitnessedDeployment> {
  const room = temporaryDirectory(t);
  const folder = join(room, "deployment");
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployQuickstart(folder, {
    everythingPort: 1,
    recordsPort: records.port,
    recordsFingerprint: records.fingerprint,
  });
  const { verifierKey } = await openLogKey(join(folder, "log.key"), ORIGIN);
  const names = ["a", "b", "c"];
  const witnesses = await Promise.all(
    names.map(async (name) => {
      mkdirSync(join(room, name));
      const witness = await Litewitness.create(join(room, name), `witness.example/${name}`, verifierKey);
      t.after(() => witness.close());
      return witness;
    }),
  );
  const lines = witnesses.map(({ key }, at) => `witness ${names[at]} ${formatVerifierKey(key)}`);
  const policy = [...lines, "group g 2 a b c", "quorum g", ""].join("\n");
  const urls = witnesses.map(({ url }, at) => [names[at] ?? "", url]);
  await listenOnAnyPort(config);
  const log = { origin: ORIGIN, witnesses: policy, witness_wait_ms: waitMs };
  // JSON is YAML.
  await appendFile(config, `log: ${JSON.stringify(log)}\nwitness_urls: ${JSON.stringify(Object.fromEntries(urls))}\n`);
  const acceptLog: WitnessedDeployment["acceptLog"] = async (accepting, origin) => {
    const { verifierKey: key } = await openLogKey(join(folder, "log.key"), origin);
    for (const witness of accepting) witness.accept(key);
  };
  return { config, folder, witnesses, policy, logKey: verifierKey, records, acceptLog };
}
