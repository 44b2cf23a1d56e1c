/** Two principals, three servers: each principal has processes of its own. */
import { Agent, setting } from "../agent.ts";

const path = setting("CMCP_SCRATCH", "-note.txt");
const alice = await Agent.connect(setting("CMCP_ALICE"));
await alice.call("echo", { message: "hello" });
await alice.call("write_file", { path, content: "kept for alice" });
await alice.call("read_text_file", { path });
await alice.call("read_text_file", { path: "/etc/hostname" });
await alice.call("create_entities", {
  entities: [{ name: "note", entityType: "thing", observations: ["known to alice"] }],
});
const bob = await Agent.connect(setting("CMCP_BOB"));
await bob.call("read_graph", {});
await bob.close();
await alice.close();
