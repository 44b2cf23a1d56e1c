import assert from "node:assert/strict";
import { test } from "node:test";
import type { LogLevel } from "../log-level.ts";
import { ServerLogLevel } from "./server-log-level.ts";

test("the server is told once, then when somebody wants more, and of less only when nobody wants more any longer", async () => {
  const server = new ServerLogLevel();
  const told: LogLevel[] = [];
  const set = async (level: LogLevel): Promise<void> => void told.push(level);
  const run = (level: LogLevel | null, request: () => Promise<unknown> = async () => undefined): Promise<unknown> =>
    server.during(level, set, request);
  await run("warning");
  await run("warning");
  await run(null);
  assert.deepEqual(told, ["warning"]);
  const verbose = Promise.withResolvers<void>();
  const running = run("debug", () => verbose.promise);
  await run("error");
  assert.deepEqual(told, ["warning", "debug"], "less is not asked for while somebody wants more");
  verbose.resolve();
  await running;
  await run("error");
  assert.deepEqual(told, ["warning", "debug", "error"]);
});

test("a request goes out whatever becomes of the level, and is forgotten however it ends", async () => {
  const server = new ServerLogLevel();
  const told: LogLevel[] = [];
  const refuses = async (level: LogLevel): Promise<void> => {
    told.push(level);
    throw new Error("method not found");
  };
  assert.equal(await server.during("debug", refuses, async () => "answered"), "answered");
  await assert.rejects(
    server.during("debug", refuses, async () => await Promise.reject(new Error("failed"))),
    /failed/,
  );
  await server.during("alert", refuses, async () => undefined);
  assert.deepEqual(told, ["debug", "alert"], "a server that refuses is not asked the same again");
});
