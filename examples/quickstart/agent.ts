/** One agent, two servers: what policy allows, redacts and denies. */
import { Agent, setting } from "../agent.ts";

const agent = await Agent.connect(setting("CMCP_BEARER_TOKEN"));
await agent.request(
  "tools",
  (client) => client.listTools(),
  ({ tools }) => tools.map(({ name }) => name).join(" "),
);
await agent.call("echo", { message: "hello" });
await agent.call("get-env", {});
await agent.call("send_message", { to: "friend@example.org", text: "Lunch?" });
await agent.call("get_patient_record", { patient_id: "P-1001" });
await agent.call("send_message", { to: "friend@example.org", text: "Guess what I read." });
await agent.close();
