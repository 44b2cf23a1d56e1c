/** One call that a person approves: it waits, is looked at, and goes through once. */
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Approver } from "../gateway/approver.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { RecordsServer } from "../servers/records-server.ts";
import type { Agent } from "./agent.ts";
import { expectCall, show } from "./calls.ts";
import { command, quote, say } from "./screen.ts";

const RULE = `
@id("a-colleague-needs-a-person")
@aarm_decision("require_approval")
@approvers("alice")
@approval_reason("the record of somebody who works here")
forbid (principal, action == cMCP::Action::"call_tool", resource == cMCP::Resource::"get_patient_record")
when { context.arguments has patient_id && context.arguments.patient_id == "P-1002" };
`;
const COLLEAGUE = { patient_id: "P-1002" };

/** Makes the approver's key, and adds the approver's rule to a copy of the quickstart. @returns the approver */
export async function listApprover(config: string): Promise<Approver> {
  const folder = dirname(config);
  const alice = await Approver.make(folder, "alice");
  const schema = join(folder, "policies/schema.cedarschema");
  const text = await readFile(schema, "utf8");
  const declared = text.replace("    context: {\n", "    context: {\n      arguments: { patient_id?: String },\n");
  expectCall(declared !== text, "the schema has a context");
  await writeFile(schema, declared);
  await appendFile(join(folder, "policies/records.cedar"), RULE);
  return alice;
}

/** What happens at the approver's and at the server's side. */
export interface ApprovalScene {
  readonly alice: Approver;
  readonly gateway: Pick<Gateway, "url" | "launch_digest">;
  readonly records: Pick<RecordsServer, "calls">;
}

/** The call waits, alice looks at it and approves, and the repeated call is sent. Another one waits again. */
export async function approvedCall(agent: Agent, { alice, gateway, records }: ApprovalScene): Promise<void> {
  const reached = (): number =>
    records.calls.filter(({ arguments: args }) => "patient_id" in args && args.patient_id === COLLEAGUE.patient_id)
      .length;
  const refused = await agent.call("get_patient_record", COLLEAGUE);
  show("get_patient_record P-1002, which a rule asks a person about", refused);
  const id = refused.allowed ? undefined : refused.approvalId;
  if (id === undefined) throw new Error("the demonstration did not go as it must: the call waits");
  say("alice has a key that the enclave measures. She verifies the enclave, and looks:");
  command(`npx cmcp approvals show ${id} …`);
  const { stdout } = await alice.run(gateway, "show", id);
  quote(stdout);
  const hash = /^request +(\S+)$/m.exec(stdout)?.[1] ?? "";
  expectCall(stdout.includes("somebody who works here") && reached() === 0, "alice is shown a call that was not sent");
  command(`npx cmcp approvals approve ${id} --request ${hash} …`);
  const approved = await alice.run(gateway, "approve", id, "--request", hash);
  quote(approved.stdout);
  expectCall(approved.code === 0, "alice approves");
  const sent = await agent.call("get_patient_record", COLLEAGUE);
  show("get_patient_record P-1002, the same call again", sent, true);
  expectCall(sent.allowed && reached() === 1, "the approved call is sent");
  const further = await agent.call("get_patient_record", COLLEAGUE);
  show("get_patient_record P-1002, once more", further);
  expectCall(!further.allowed && reached() === 1, "an approval counts once");
}
