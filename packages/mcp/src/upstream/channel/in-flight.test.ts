import assert from "node:assert/strict";
import { test } from "node:test";
import { silentPeer } from "../../peer.ts";
import { forever } from "../../testing/upstream.ts";
import { Progress } from "../progress.ts";
import { InFlight, type PendingRequest } from "./in-flight.ts";

const peer = silentPeer(forever);
const request = (id: number): PendingRequest => ({
  method: "tools/call",
  taskId: undefined,
  answer: Promise.withResolvers(),
  progress: new Progress(peer, id),
  peer,
});

test("so many requests that were given up are remembered, then the oldest is forgotten", () => {
  const inFlight = new InFlight();
  for (let id = 0; id <= 1_024; id += 1) {
    inFlight.add(id, request(id));
    inFlight.leave(id, 60_000);
  }
  const running = request(2_000);
  inFlight.add(2_000, running);
  for (let id = 2; id <= 1_024; id += 1) inFlight.answered(id);
  assert.equal(inFlight.concerned(null), undefined, "the second is still known");
  inFlight.answered(1);
  assert.equal(inFlight.concerned(null), running, "the first is not");
});

test("a request of which nothing left is in flight no more", () => {
  const inFlight = new InFlight();
  const running = request(2);
  inFlight.add(1, request(1));
  inFlight.add(2, running);
  inFlight.leave(1, 0);
  assert.equal(inFlight.concerned(null), running);
});
