/**
 * What a host sees that records everything: under the seal none of its transport has anything of agents or servers in any form, and what it
 * stores has what a record may say. The same scene in the clear shows that the search finds what is there.
 */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { preset } from "@cmcp/appraise";
import { connect } from "@cmcp/client";
import { DIALECTS } from "./agent.ts";
import { nameOf, runCase, type Shown } from "./case.ts";
import { casesOf } from "./cases.ts";
import { namesIn, needleOf, type Needle } from "./forms.ts";
import { recordingFetch, startRecordingHost, type Place, type RecordingGateway } from "./recording-host.ts";
import { startScene, type Scene } from "./scene.ts";
import { recordWords } from "./record-words.ts";
import { storedRecords, unlisted } from "./stored.ts";
import { sendStray, straysOf } from "./strays.ts";
import { runUndecided } from "./undecided.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;

/** Starts a scene behind a host that records everything. */
async function startRecorded(way: "plain" | "sealed"): Promise<{ scene: Scene; gateway: RecordingGateway }> {
  let gateway: RecordingGateway | null = null;
  const scene = await startScene({
    channel: way,
    tls: way === "sealed",
    start: async (config, env) => (gateway = await startRecordingHost(config, env)),
    fetchTo: async ({ url }) => {
      const fetch = recordingFetch(gateway?.heard ?? assert.fail());
      return way === "plain" ? fetch : (await connect(new URL(url), EXPECTED, { crypto: webcrypto, fetch })).fetch;
    },
  });
  return { scene, gateway: gateway ?? assert.fail() };
}

/** What nobody may read who is neither agent, enclave nor server. */
function needlesOf({ markers, secrets }: Scene): Needle[] {
  return [
    needleOf("a marker of an agent", markers.stem("agent")),
    needleOf("a marker of a server", markers.stem("server")),
    ...secrets.tokens.map((token) => needleOf("a token", token)),
    ...secrets.credentials.map((credential) => needleOf("a credential", credential)),
  ];
}

/** What else says what an agent does. The host knows the catalog's names from what it stores, and no word from what it carries. */
const WORDS = ["taint://", "jsonrpc", "tools/call", "mcp-session-id", "legacy-tool-", "modern-prompt-", "Bearer"].map(
  (text) => needleOf(text, text),
);

const found = (streams: readonly Buffer[], needles: readonly Needle[]): string[] => [
  ...new Set(streams.flatMap((stream) => namesIn(stream, needles))),
];

describe("a host that records everything, under the seal", { timeout: 900_000 }, () => {
  let scene: Scene;
  let gateway: RecordingGateway;
  const shown = new Map<string, Shown>();
  before(async () => {
    ({ scene, gateway } = await startRecorded("sealed"));
  });
  after(async () => {
    await scene?.close();
  });

  for (const tried of casesOf())
    test(nameOf(tried), async () => {
      shown.set(nameOf(tried), await runCase(scene, tried));
    });

  test("what no policy decides", async () => {
    await runUndecided(scene);
  });

  for (const dialect of DIALECTS)
    test(`what nobody takes, of a ${dialect} agent`, async () => {
      for (const stray of straysOf(scene.agents[dialect].mark)) {
        const status = await sendStray(scene, dialect, stray);
        assert.notEqual(status, 500, stray.name);
      }
    });

  test("positive control: agents and servers were told what they may be told", () => {
    for (const era of ["legacy", "modern"])
      for (const dialect of DIALECTS) {
        const of = (method: string, outcome = "result"): Shown | undefined =>
          shown.get(`${method}, ${dialect} agent, ${era} server, ${outcome}`);
        assert.deepEqual(of("tools/call")?.toServer, ["argument"]);
        for (const [method, place, outcome] of [
          ["tools/call", "text"],
          ["tools/call", "structured", "redacted"],
          ["tools/call", "error-message", "error"],
          ["resources/read", "contents"],
          ["prompts/get", "prompt"],
          ["completion/complete", "completion"],
        ] as const)
          assert.ok(of(method, outcome)?.toAgent.includes(place), `${method} ${outcome ?? ""}: ${era} to ${dialect}`);
      }
    const heard = Object.values(scene.servers)
      .flatMap(({ received }) => received.map(({ raw }) => raw))
      .join("\n");
    for (const credential of scene.secrets.credentials) assert.ok(heard.includes(credential), "a server was shown it");
  });

  for (const place of ["http", "link", "services"] as const)
    test(`the host carried nothing of theirs: ${place}`, () => {
      const streams = gateway.heard.at(place);
      assert.ok(streams.length > 1 && streams.some(({ length }) => length > 10_000), "it heard something");
      // Among services is the store, whose records name tools.
      const needles = place === "services" ? needlesOf(scene) : [...needlesOf(scene), ...WORDS];
      assert.deepEqual(found(streams, needles), []);
    });

  test("the host stored nothing of theirs", async () => {
    await scene.stop();
    const path = join(scene.folder, "audit.db");
    const records = await storedRecords(path);
    assert.ok(records.length > 1_000, `${records.length} records`);
    assert.deepEqual(new Set(records.map(({ kind }) => kind)).has("claim"), true, "claims among them");
    assert.deepEqual(found([...records.map(({ bytes }) => bytes), await readFile(path)], needlesOf(scene)), []);
  });

  test("what the host stored says what a record may say, and no word more", async () => {
    assert.deepEqual(unlisted(await storedRecords(join(scene.folder, "audit.db")), recordWords(scene)), []);
  });

  test("the host logged nothing of theirs", () => {
    assert.ok(gateway.log().includes("enclave up"));
    assert.deepEqual(found([Buffer.from(gateway.log())], [...needlesOf(scene), ...WORDS]), []);
  });
});

describe("the same host in the clear", { timeout: 600_000 }, () => {
  test("the search finds what agents and servers say, in each place that carries it, and not in what is stored", async () => {
    const { scene, gateway } = await startRecorded("plain");
    try {
      for (const tried of casesOf().filter(({ foreign }) => foreign === "none")) await runCase(scene, tried);
      const seen = (place: Place): string[] => found(gateway.heard.at(place), [...needlesOf(scene), ...WORDS]);
      const all = ["a marker of an agent", "a marker of a server", "taint://"];
      for (const place of ["http", "link"] as const) {
        const names = seen(place);
        for (const name of [...all, "a token", "tools/call", "jsonrpc", "Bearer"])
          assert.ok(names.includes(name), name);
      }
      for (const name of all) assert.ok(seen("services").includes(name), `${name} on its way to a server`);
      await scene.stop();
      const records = await storedRecords(join(scene.folder, "audit.db"));
      assert.deepEqual(
        found(
          records.map(({ bytes }) => bytes),
          needlesOf(scene),
        ),
        [],
      );
    } finally {
      await scene.close();
    }
  });
});
