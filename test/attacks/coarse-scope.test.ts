/** P2.4, scope too coarse: one credential for everything. Stopped by workflows bound to principals, and by rules per workflow. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startStage, type Stage } from "./stage.ts";
import { startToolsServer, type ToolsServer } from "./tools-server.ts";

describe("P2.4 scope too coarse", () => {
  let files: ToolsServer;
  let stage: Stage;

  before(async () => {
    files = await startToolsServer(
      "files",
      ["read_file", "delete_file"].map((name) => ({ name, description: `${name}.`, run: () => name })),
    );
    stage = await startStage({
      servers: [files],
      policies: `
        @id("in-its-workflow") permit (principal, action, resource)
          when { context.workflow_allowed_tools.contains(resource.tool_name) };`,
      config: `enclave:
  workflows: [default, cleanup]
  workflow_tools: {default: [read_file], cleanup: [read_file, delete_file]}
`,
    });
  });
  after(async () => await stage.close());
  const codeOf = async (tool: string, workflow?: string): Promise<unknown> =>
    (await stage.auditor.call(tool, "s", {}, workflow === undefined ? {} : { workflow_id: workflow })).body.error?.data
      ?.error_code;

  test("a tool of another workflow is refused, though the credential may use both", async () => {
    assert.equal(await codeOf("read_file"), undefined);
    assert.equal(await codeOf("delete_file"), "POLICY_DENY");
    assert.equal(await codeOf("delete_file", "cleanup"), undefined);
  });

  test("a workflow that is not the principal's is refused before policy is asked", async () => {
    assert.equal(await codeOf("delete_file", "admin"), "WORKFLOW_NOT_ALLOWED");
  });

  test("an agent that names no workflow has no more than one that names it", async () => {
    assert.equal(await codeOf("delete_file", "default"), "POLICY_DENY");
    assert.equal((await stage.call("delete_file")).code, "POLICY_DENY");
    assert.equal(files.calls.filter(({ tool }) => tool === "delete_file").length, 1);
  });
});
