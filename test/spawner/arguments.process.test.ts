/** Calls that are allowed, with arguments that are not: another process's, or memory that nobody counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RUNNERS, hostileTree, open, serverOf } from "./fixture.ts";
import { Lines } from "./lines.ts";

const REFUSED: Readonly<Record<string, string>> = {
  "bounds of the watcher": "EPERM",
  "bounds of the parent": "EPERM",
  "processors of the watcher": "EPERM",
  "priority of the watcher": "EPERM",
  "priority of a group": "EPERM",
  "priority of a user": "EPERM",
  "locks of the watcher": "EPERM",
  "scheduling cookie": "EINVAL",
  "child of the watcher": "EPERM",
  "traced child": "EPERM",
  "owner of a pipe": "EINVAL",
  "signal of a pipe": "EINVAL",
  "owner by structure": "EINVAL",
  "notice of a folder": "EINVAL",
  "larger pipe": "EINVAL",
  "owner by ioctl": "ENOTTY",
  "signals by ioctl": "ENOTTY",
  "input for a terminal": "ENOTTY",
  "larger buffer to send": "ENOPROTOOPT",
  "larger buffer to receive": "ENOPROTOOPT",
  "descriptors of senders": "ENOPROTOOPT",
  "descriptor of the enclave": "ENOPROTOOPT",
  "names of memory": "EINVAL",
  "not dumpable": "EINVAL",
  subreaper: "EINVAL",
  "filter of its own": "EINVAL",
  "memory that grows": "EPERM",
  "huge memory": "EPERM",
  "droppable memory": "EPERM",
};
const ALLOWED = [
  "own bounds",
  "own processors",
  "own priority",
  "own name",
  "unread bytes",
  "close on execute",
  "without blocking",
  "time limit of a socket",
];

for (const { by, skip } of RUNNERS) {
  test(`no call names another process or grows memory nobody counts (spawner of ${by})`, { skip }, async (t) => {
    const { tree, program } = await hostileTree(t, "arguments");
    const { spawner } = await open(t, by, [serverOf(tree, program)]);
    const channel = await spawner.start(0);
    const lines = await new Lines(channel).rest(channel);
    const expected = [
      ...Object.entries(REFUSED).flatMap(([name, error]) => [`${name}\t${error}`, `${name}, upper half set\t${error}`]),
      ...ALLOWED.map((name) => `${name}\tworked`),
      "done\tyes",
    ];
    assert.deepEqual(lines.toSorted(), expected.toSorted());
  });
}
