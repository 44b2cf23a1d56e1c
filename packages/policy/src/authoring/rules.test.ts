import assert from "node:assert/strict";
import { test } from "node:test";
import { bundleOf, catalogOf, READ_FILE, SEND_MAIL } from "../test-support.ts";
import { rulesOf } from "./rules.ts";

const CEDAR = `// A comment about the first rule.
@id("reads") @reason("files are open")
permit (principal, action, resource == cMCP::Resource::"read_file");

// Another, twice the same.
forbid (principal, action, resource) when { context.channel == "plain" && context.isolation == "none" };
forbid (principal, action, resource) when { context.channel == "plain" && context.isolation == "none" };
@id("asks") @aarm_decision("require_approval") @approvers("alice,bob") @approvals("2") @approval_reason("mail leaves")
forbid (principal, action, resource == cMCP::Resource::"send_mail");
`;

test("rules are found where they stand, with what they read and whom they reach", () => {
  const rules = rulesOf(bundleOf(CEDAR), catalogOf(READ_FILE, SEND_MAIL));
  assert.deepEqual(
    rules.map(({ label, effect, reason, line, reads, tools }) => [label, effect, reason, line, reads, tools]),
    [
      ["reads", "permit", "files are open", 2, [], ["read_file"]],
      ["rules.cedar#2", "forbid", null, 6, ["context.channel", "context.isolation"], ["read_file", "send_mail"]],
      ["rules.cedar#3", "forbid", null, 7, ["context.channel", "context.isolation"], ["read_file", "send_mail"]],
      ["asks", "forbid", null, 8, [], ["send_mail"]],
    ],
  );
  assert.deepEqual(
    rules.map(({ approval }) => approval),
    [null, null, null, { needed: 2, approvers: ["alice", "bob"], reason: "mail leaves" }],
  );
});
