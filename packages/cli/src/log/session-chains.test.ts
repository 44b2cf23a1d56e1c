import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { SessionChains, type ChainLink } from "./session-chains.ts";

/** The chain of a session of so many entries. */
const chainOf = (session: string, length: number, closed = true): ChainLink[] =>
  Array.from({ length }, (_, number) => ({
    session,
    number,
    hash: `${session}-${number}`,
    previous: number === 0 ? "genesis" : `${session}-${number - 1}`,
    last: closed && number === length - 1,
    successor: null,
  }));

/** Chains in one order, each in its own; the numbers say whose turn it is. */
function interleaved(chains: readonly (readonly ChainLink[])[], turns: readonly number[]): ChainLink[] {
  const left = chains.map((chain) => [...chain]);
  const all: ChainLink[] = [];
  for (let at = 0; left.some((chain) => chain.length > 0); at += 1) {
    const open = left.filter((chain) => chain.length > 0);
    const link = open[(turns[at % turns.length] ?? 0) % open.length]?.shift();
    if (link !== undefined) all.push(link);
  }
  return all;
}

const logs = fc
  .tuple(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()), { minLength: 1, maxLength: 5 }),
    fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }),
  )
  .map(([lengths, turns]) =>
    interleaved(
      lengths.map(([length, closed], at) => chainOf(`s${at}`, length, closed)),
      turns,
    ),
  );

const problemOf = (links: readonly (ChainLink | null)[]): string | null => {
  const chains = new SessionChains();
  let found: string | null = null;
  for (const link of links) {
    if (link === null) chains.addUnknown();
    else found ??= chains.add(link);
  }
  return found;
};

test("interleaved chains are sound, and only the open ones are held", () => {
  fc.assert(
    fc.property(logs, (links) => {
      const chains = new SessionChains();
      for (const link of links) assert.equal(chains.add(link), null);
      const ended = new Set(links.filter(({ last }) => last).map(({ session }) => session));
      const open = new Set(links.map(({ session }) => session).filter((session) => !ended.has(session)));
      assert.equal(chains.size, open.size);
    }),
  );
});

test("an entry that is left out, repeated, moved or linked elsewhere is found", () => {
  fc.assert(
    fc.property(logs, fc.nat(), (links, pick) => {
      const at = pick % links.length;
      const link = links[at];
      assert.ok(link !== undefined);
      const follows = links.slice(at + 1).some(({ session }) => session === link.session);
      if (follows) assert.notEqual(problemOf(links.toSpliced(at, 1)), null, "left out");
      if (link.number > 0)
        assert.notEqual(problemOf([...links.slice(0, at), link, ...links.slice(at)]), null, "repeated");
      assert.notEqual(problemOf(links.with(at, { ...link, previous: "elsewhere" })), null, "linked elsewhere");
      assert.notEqual(problemOf(links.with(at, { ...link, number: link.number + 1 })), null, "moved");
    }),
  );
});

test("as many entries may be skipped as are without a body, and no more", () => {
  const links = chainOf("s", 5);
  const [first, , third, fourth, last] = links;
  assert.ok(first !== undefined && third !== undefined && fourth !== undefined && last !== undefined);
  assert.equal(problemOf([first, null, third, fourth, last]), null);
  assert.equal(problemOf([null, null, third, fourth, last]), null);
  assert.notEqual(problemOf([null, third, fourth, last]), null, "one for two");
  assert.notEqual(problemOf([null, first, third]), null, "before the entry that is there");
  assert.notEqual(problemOf([first, null, third, last]), null, "one for each");
  assert.notEqual(problemOf([first, null, { ...third, number: 1 }]), null, "its link is known");
});

test("another instance begins without the chains of the one before, and without what it skipped", () => {
  const chains = new SessionChains();
  const [first, second, third] = chainOf("s", 3);
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  assert.equal(chains.add(first), null);
  chains.addUnknown();
  chains.begin();
  assert.equal(chains.size, 0);
  assert.notEqual(chains.add(second), null);
});
