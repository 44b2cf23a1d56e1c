import assert from "node:assert/strict";
import { test } from "node:test";
import { readClientCapabilities } from "@cmcp/mcp";
import { agentPeer, policyStub } from "../testing/calls.ts";
import { codeOf, start, STATE } from "../testing/pipeline-scene.ts";

test("a task reservation is released by a call that becomes no task, and kept by one that does", async () => {
  const capabilities = readClientCapabilities({ extensions: { "io.modelcontextprotocol/tasks": {} } });
  const { peer } = agentPeer({ capabilities });
  const plain = await start();
  await plain.run({}, peer);
  assert.equal(plain.tasks.size, 0);
  const made = await start({ answer: () => ({ kind: "task", task: STATE }) });
  await made.run({}, peer);
  assert.equal(made.tasks.size, 1);
  const failing = await start({ answer: () => Promise.reject(new Error("a defect")) });
  await failing.run({ task: { ttlMs: null } }, peer);
  assert.equal(failing.tasks.size, 0);
});

test("a task is cancelled once, whatever label or workflow the request names, and policy is not asked", async () => {
  let asked = 0;
  const policy = policyStub(() => {
    asked += 1;
    return asked === 1 ? {} : { decision: "deny" };
  });
  const { run, tasks, recorded, upstreams, entries, atSend } = await start({
    policy,
    answer: ({ method }) =>
      method === "tools/call" ? { kind: "task", task: STATE } : { kind: "complete", result: { words: "SECRET" } },
  });
  await run({ task: { ttlMs: null } });
  const [task] = tasks.list(recorded.session.id);
  const cancel = { method: "tasks/cancel", name: task?.taskId ?? "", dataClass: "none", workflowId: "other" } as const;
  const bodies = await Promise.all([run(cancel), run(cancel), run(cancel)]);
  for (const body of bodies) assert.ok("result" in body && body.result["status"] === "cancelled");
  assert.equal(JSON.stringify(bodies).includes("SECRET"), false);
  assert.deepEqual(
    [asked, upstreams.sent.map(({ method }) => method), atSend],
    [1, ["tools/call", "tasks/cancel"], [1, 2]],
  );
  assert.deepEqual(
    entries().map(({ policy_decision: decision, workflow_id: workflow }) => [decision, workflow]),
    Array.from({ length: 4 }, () => ["allow", "default"]),
  );
});

test("a task's session is the one it was made in", async () => {
  const [one, other] = [await start({ answer: () => ({ kind: "task", task: STATE }) }), await start()];
  await one.run({ task: { ttlMs: null } });
  const [task] = one.tasks.list(one.recorded.session.id);
  for (const method of ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"] as const)
    assert.equal(codeOf(await other.run({ method, name: task?.taskId ?? "" })), "TASK_UNKNOWN", method);
  assert.deepEqual(other.upstreams.sent, []);
});

test("a server sees that its answer may become a task only if room was reserved", async () => {
  const capabilities = readClientCapabilities({ roots: {}, extensions: { "io.modelcontextprotocol/tasks": {} } });
  const heard: unknown[] = [];
  const { run } = await start({
    answer: (_, { capabilities: told }) => {
      heard.push(told);
      return { kind: "complete", result: { content: [] } };
    },
  });
  const { peer } = agentPeer({ capabilities });
  await run({}, peer);
  await run({ arguments: { q: "x".repeat(65_536) } }, peer);
  assert.deepEqual(heard, [capabilities, { roots: {} }]);
});
