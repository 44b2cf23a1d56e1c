import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readBundle, type PolicyBundle } from "./bundle/index.ts";
import { compilePolicy } from "./compile/compile.ts";
import { loadCatalog } from "@cmcp/catalog";
import { parseJsonText } from "@cmcp/boundary";
import { lintBundle } from "./authoring/index.ts";
import { WORKER, asked, call, catalogOf, onPrompt, onResource, prompt, resource, tool } from "./test-support.ts";

const EXAMPLES = join(import.meta.dirname, "../../../examples");
const QUICKSTART = join(EXAMPLES, "quickstart/policies");

async function bundleIn(folder: string): Promise<PolicyBundle> {
  const files: Record<string, string> = {};
  for (const name of await readdir(folder)) files[name] = await readFile(join(folder, name), "utf8");
  return readBundle(files);
}

void test("the quickstart bundle decides as its rules say, without warnings", async () => {
  const tools = ["echo", "get-sum", "get-env", "get_patient_record", "send_message", "other"].map((name) => tool(name));
  const policy = await compilePolicy(await bundleIn(QUICKSTART), catalogOf(...tools), { workerUrl: WORKER });
  assert.deepEqual([policy.shape, policy.warnings], ["call_tool", []]);
  const decide = (name: string, sessionMaxSensitivity = "public") =>
    policy.decide(call({}, { tool: tool(name), sessionMaxSensitivity }));
  assert.deepEqual(
    ["echo", "get-sum", "get-env", "other", "send_message"].map((name) => decide(name).decision),
    ["allow", "allow", "deny", "deny", "allow"],
  );
  assert.deepEqual(decide("get_patient_record").redactFields, ["ssn"]);
  assert.deepEqual([decide("get-env").rule, decide("other").rule], ["deny-environment", "default-deny"]);
  assert.deepEqual(
    [decide("send_message", "hipaa_phi").rule, decide("send_message", "hipaa_phi").cause],
    ["no-messages-after-health-data", "sensitivity"],
  );
  assert.match(decide("get-env").reason ?? "", /environment/);
});

void test("the quickstart bundle has the hash it always had, and denies what it says nothing about", async () => {
  const bundle = await bundleIn(QUICKSTART);
  assert.equal(bundle.hash, "sha256:f40ce31c207f8797d2ab23d5474da4eca3f2948e873eb7dcf5fa50feb6ca653a");
  const policy = await compilePolicy(bundle, catalogOf(tool("echo")), { workerUrl: WORKER });
  for (const facts of [
    onResource("read_resource", resource("x://a")),
    onResource("list_resource", resource("x://a")),
    onPrompt("get_prompt", prompt("p")),
    call({}, { tool: tool("echo"), action: "ask_client", requestMethod: "elicitation/create" }),
  ]) {
    assert.equal(policy.decide(facts).rule, "default-deny");
  }
});

void test("the bundle for resources and prompts decides as its rules say, without warnings", async () => {
  const folder = join(EXAMPLES, "resources-and-prompts");
  const catalog = loadCatalog(parseJsonText(await readFile(join(folder, "catalog.json"), "utf8")), {
    developmentMode: true,
    vocabulary: { has: () => true, hasDomain: () => true },
  });
  const bundle = await bundleIn(join(folder, "policies"));
  assert.deepEqual(lintBundle(bundle, catalog), []);
  const policy = await compilePolicy(bundle, catalog, { workerUrl: WORKER });
  assert.deepEqual([policy.shape, policy.warnings], ["call_tool", []]);
  const resourceOf = (id: string) => catalog.resources.get(id) ?? assert.fail(id);
  const promptOf = (name: string) => catalog.prompts.get(name) ?? assert.fail(name);
  const document = (name: string) => resourceOf(`demo://resource/static/document/${name}.md`);
  const template = (kind: string) => resourceOf(`demo://resource/dynamic/${kind}/{resourceId}`);
  const numbered = (kind: string, id: string) =>
    onResource("read_resource", template(kind), {
      resource: asked(template(kind), `demo://resource/dynamic/${kind}/${id}`),
    });
  const rule = (facts: Parameters<typeof policy.decide>[0]): string => policy.decide(facts).rule;
  assert.deepEqual(
    [
      rule(onResource("read_resource", document("features"))),
      rule(onResource("list_resource", document("architecture"))),
      rule(onResource("read_resource", document("architecture"))),
    ],
    ["documents", "documents", "internal-documents-stay-inside"],
  );
  assert.equal(rule(onResource("read_resource", document("architecture"), { workflowId: "inside" })), "documents");
  assert.deepEqual(
    [rule(numbered("text", "2")), rule(numbered("text", "4")), rule(numbered("blob", "2"))],
    ["numbered-texts", "only-the-first-three", "default-deny"],
  );
  assert.deepEqual(
    [
      rule(onPrompt("get_prompt", promptOf("args-prompt"), { city: "Oslo" })),
      rule(onPrompt("get_prompt", prompt("other"))),
    ],
    ["prompts", "default-deny"],
  );
  const completion = { argumentName: "resourceId", known: {} };
  assert.deepEqual(
    [
      rule(onPrompt("complete", promptOf("resource-prompt"), {}, { completion })),
      rule(onPrompt("complete", promptOf("args-prompt"), {}, { completion })),
      rule(onResource("complete", template("text"), { completion })),
      rule(onResource("complete", template("blob"), { completion })),
    ],
    ["completion", "default-deny", "completion", "default-deny"],
  );
  const asking = (requestMethod: string) =>
    call(
      {},
      { tool: catalog.tools.get("trigger-elicitation-request") ?? assert.fail(), action: "ask_client", requestMethod },
    );
  assert.deepEqual(
    [rule(asking("elicitation/create")), rule(asking("sampling/createMessage"))],
    ["questions-to-the-user", "default-deny"],
  );
});
