/** Resources, templates, prompts and completion: each listed, read and got only as policy allows. */
import { Agent, setting } from "../agent.ts";

const agent = await Agent.connect(setting("CMCP_BEARER_TOKEN"));
await agent.request(
  "resources",
  (client) => client.listResources(),
  ({ resources }) => resources.map(({ uri }) => uri).join(" "),
);
for (const uri of [
  "demo://resource/static/document/features.md",
  "demo://resource/static/document/architecture.md",
  "demo://resource/dynamic/text/3",
  "demo://resource/dynamic/text/4",
])
  await agent.request(
    uri,
    (client) => client.readResource({ uri }),
    ({ contents }) => `${contents.length} content`,
  );
await agent.request(
  "prompts",
  (client) => client.listPrompts(),
  ({ prompts }) => prompts.map(({ name }) => name).join(" "),
);
await agent.request(
  "args-prompt",
  (client) => client.getPrompt({ name: "args-prompt", arguments: { city: "Ghent" } }),
  ({ messages }) => messages.map(({ content }) => (content.type === "text" ? content.text : content.type)).join(" "),
);
await agent.call("echo", { message: "hello" });
await agent.close();
