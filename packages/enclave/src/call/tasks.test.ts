import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { requestFor, taskState } from "../testing/calls.ts";
import { MAX_TASKS, MAX_TTL_MS, Tasks, callThatMadeTask, type Task } from "./tasks.ts";

const call: Task["call"] = { name: "tool", arguments: { a: 1 }, workflowId: null };
const working = taskState({ statusMessage: "words", ttlMs: 1_000 });
const s = { id: "s", principalId: "alice" };
const t = { id: "t", principalId: "alice" };
const QUESTION = { method: "roots/list", params: {} };

test("a task is told of by an id of the gateway's, and found in its own session alone", () => {
  const tasks = new Tasks(() => 0);
  const task = tasks.reserve(s, call).commit(working);
  assert.notEqual(task.id, "theirs");
  assert.equal(task.state.taskId, task.id);
  assert.equal(tasks.find("s", task.id), task);
  for (const [session, id] of [
    ["t", task.id],
    ["s", "theirs"],
    ["s", `${task.id}x`],
    ["s", ""],
  ] as const)
    assert.equal(tasks.find(session, id), undefined);
  fc.assert(fc.property(fc.string(), (guess) => tasks.find("s", guess) === undefined));
});

test("a call that became no task leaves nothing; one that has keeps its place", () => {
  const tasks = new Tasks(() => 0);
  const reservation = tasks.reserve(s, call);
  assert.equal(tasks.size, 1);
  assert.deepEqual(tasks.list("s"), [], "a call that has no answer yet is no task");
  reservation.release();
  reservation.release();
  assert.equal(tasks.size, 0);
  const kept = tasks.reserve(s, call);
  const { id } = kept.commit(working);
  kept.release();
  assert.equal(tasks.find("s", id)?.id, id);
});

test("a task ends with its time, and the gateway keeps none longer than a day", () => {
  let now = 0;
  const tasks = new Tasks(() => now);
  const short = tasks.reserve(s, call).commit(working);
  const endless = tasks.reserve(s, call).commit({ ...working, ttlMs: null });
  const long = tasks.reserve(s, call).commit({ ...working, ttlMs: MAX_TTL_MS + 1 });
  assert.deepEqual([endless.state.ttlMs, long.state.ttlMs], [MAX_TTL_MS, MAX_TTL_MS], "the agent is told how long");
  now = 999;
  assert.equal(tasks.find("s", short.id)?.id, short.id);
  now = 1_000;
  assert.deepEqual([tasks.find("s", short.id), tasks.find("s", endless.id)?.id], [undefined, endless.id]);
  tasks.update("s", endless, { ...working, ttlMs: 5_000 });
  now = 4_999;
  assert.equal(tasks.find("s", endless.id)?.id, endless.id);
  now = 5_000;
  assert.deepEqual([tasks.find("s", endless.id), tasks.size], [undefined, 1]);
  now = MAX_TTL_MS;
  assert.deepEqual([tasks.find("s", long.id), tasks.size], [undefined, 0]);
});

test("a task ends with its session", () => {
  const tasks = new Tasks(() => 0);
  const [one, other] = [tasks.reserve(s, call).commit(working), tasks.reserve(t, call).commit(working)];
  tasks.forget("s");
  assert.deepEqual([tasks.find("s", one.id), tasks.find("t", other.id)?.id, tasks.size], [undefined, other.id, 1]);
});

test("a session has a bound; a task that has ended gives way, and other sessions are not affected", () => {
  const tasks = new Tasks(() => 0);
  const [first] = Array.from({ length: 64 }, () => tasks.reserve(s, call).commit(working));
  assert.throws(() => tasks.reserve(s, call), { code: "OVERLOADED", detail: { sent: 0 } });
  tasks.reserve(t, call);
  assert.ok(first !== undefined);
  tasks.update("s", first, { ...working, status: "completed" });
  tasks.reserve(s, call).commit(working);
  assert.deepEqual([tasks.find("s", first.id), tasks.list("s").length], [undefined, 64]);
});

test("all sessions together have a bound, of which each principal has a share", () => {
  const tasks = new Tasks(() => 0);
  const fill = (principalId: string): void => {
    for (let session = 0; session < MAX_TASKS; session += 1)
      tasks.reserve({ id: `${principalId}-${session}`, principalId }, call);
  };
  assert.throws(() => fill("alice"), { code: "OVERLOADED" });
  const ofOne = tasks.size;
  assert.ok(ofOne < MAX_TASKS);
  tasks.reserve({ id: "bob", principalId: "bob" }, call);
  assert.equal(tasks.size, ofOne + 1, "there is room for who comes next");
});

test("arguments are kept up to a bound, in bytes", () => {
  const tasks = new Tasks(() => 0);
  const most = 65_536 - '{"a":""}'.length;
  for (const text of ["x".repeat(most + 1), "é".repeat(32_768)])
    assert.throws(() => tasks.reserve(s, { ...call, arguments: { a: text } }), {
      code: "MCP_INVALID_REQUEST",
      detail: { sent: 0 },
    });
  assert.equal(tasks.size, 0);
  tasks.reserve(s, { ...call, arguments: { a: "x".repeat(most) } });
  assert.equal(tasks.size, 1);
});

test("a list has the tasks of one session as last seen, without the server's words", () => {
  const tasks = new Tasks(() => 0);
  const one = tasks.reserve(s, call).commit(working);
  tasks.reserve(t, call).commit(working);
  tasks.update("s", one, { ...working, status: "failed" });
  assert.deepEqual(tasks.list("s"), [{ ...working, taskId: one.id, status: "failed", statusMessage: null }]);
});

test("questions wait with their task until each has its answer, or the server asks others", () => {
  const tasks = new Tasks(() => 0);
  const task = tasks.reserve(s, call).commit(working);
  const open = (): readonly string[] => Object.keys(tasks.find("s", task.id)?.questions ?? {});
  tasks.update("s", task, working, { a: QUESTION, b: QUESTION });
  tasks.removeQuestions("s", task, ["a", "c"]);
  assert.deepEqual(open(), ["b"]);
  tasks.update("s", task, working, { c: QUESTION });
  assert.deepEqual(open(), ["c"]);
  tasks.update("s", task, working);
  assert.deepEqual(open(), []);
});

test("what waits with a task that is given up is closed, and nothing opens it again meanwhile", () => {
  const tasks = new Tasks(() => 0);
  const task = tasks.reserve(s, call).commit(working);
  const open = (): readonly string[] => Object.keys(tasks.find("s", task.id)?.questions ?? {});
  tasks.update("s", task, working, { a: QUESTION });
  tasks.setCancelled("s", task, true);
  assert.deepEqual([open(), tasks.find("s", task.id)?.cancelled], [[], true]);
  tasks.update("s", task, working, { b: QUESTION });
  assert.deepEqual([open(), tasks.find("s", task.id)?.cancelled], [[], true]);
  tasks.setCancelled("s", task, false);
  tasks.update("s", task, working, { b: QUESTION });
  assert.deepEqual(open(), ["b"], "its server could not be asked to give it up");
});

test("what is said of a task in another session, or of one that has ended, changes nothing", () => {
  const tasks = new Tasks(() => 0);
  const task = tasks.reserve(s, call).commit(working);
  tasks.update("t", task, { ...working, status: "completed" }, { a: QUESTION });
  tasks.setCancelled("t", task, true);
  assert.equal(tasks.find("s", task.id), task);
  tasks.forget("s");
  tasks.update("s", task, working, { a: QUESTION });
  assert.equal(tasks.find("s", task.id), undefined);
});

test("property: however tasks are made, answered, given up and forgotten, only live ones take slots", () => {
  const step = fc.record({
    act: fc.constantFrom("reserve", "take", "free", "end", "cancel", "forget", "later"),
    session: fc.nat({ max: 2 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = 0;
      const tasks = new Tasks(() => now);
      const places: { reservation: ReturnType<Tasks["reserve"]>; session: string; task: Task | null }[] = [];
      for (const { act, session: at } of steps) {
        const session = `s${at}`;
        const mine = places.filter((one) => one.session === session);
        const last = mine.at(-1);
        if (act === "reserve")
          places.push({ reservation: tasks.reserve({ id: session, principalId: "p" }, call), session, task: null });
        if (act === "take" && last?.task === null) last.task = last.reservation.commit(working);
        if (act === "free") last?.reservation.release();
        if (act === "end" && last?.task) tasks.update(session, last.task, { ...working, status: "completed" });
        if (act === "cancel" && last?.task) tasks.setCancelled(session, last.task, true);
        if (act === "forget") tasks.forget(session);
        if (act === "later") now += 400;
      }
      const ids = ["s0", "s1", "s2"].flatMap((session) => tasks.list(session).map(({ taskId }) => taskId));
      assert.equal(new Set(ids).size, ids.length);
      assert.ok(tasks.size >= ids.length, "a task has its slot");
      for (const session of ["s0", "s1", "s2"]) tasks.forget(session);
      assert.equal(tasks.size, 0, "and gives it back");
    }),
  );
});

test("a request about a task is the call that made it, under the workflow it names itself", () => {
  const task = new Tasks(() => 0).reserve(s, { ...call, workflowId: "billing" }).commit(working);
  const about = requestFor({ method: "tasks/get", name: task.id });
  const { method, name, arguments: args, workflowId } = callThatMadeTask(task, about);
  assert.deepEqual([method, name, args, workflowId], ["tools/call", "tool", { a: 1 }, "billing"]);
  assert.equal(callThatMadeTask(task, { ...about, workflowId: "other" }).workflowId, "other");
});
