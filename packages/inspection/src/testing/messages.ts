/** How a message is inspected where no fields are redacted. */
export const open = { withholdText: false, instead: "it failed" };
/** How it is inspected where some are. */
export const withholding = { withholdText: true, instead: "it failed" };

/** A question with a field of each kind. */
export const FORM = {
  mode: "form",
  message: "Who are you?",
  requestedSchema: {
    type: "object",
    properties: {
      name: { type: "string", title: "Name", minLength: 2, maxLength: 5 },
      mail: { type: "string", format: "email" },
      colour: { type: "string", enum: ["red", "blue"], enumNames: ["Red", "Blue"] },
      size: { type: "string", oneOf: [{ const: "s", title: "Small" }] },
      age: { type: "integer", minimum: 0, maximum: 150 },
      weight: { type: "number", default: 1.5 },
      member: { type: "boolean", default: false },
      tags: { type: "array", items: { type: "string", enum: ["a", "b", "c"] }, maxItems: 2 },
      kinds: { type: "array", items: { anyOf: [{ const: "k", title: "K" }] } },
    },
    required: ["name"],
  },
};
export const URL_MODE = { mode: "url", message: "Go", url: "https://a.example/x", elicitationId: "1" };
export const SAMPLING = {
  messages: [
    { role: "user", content: { type: "text", text: "hi" } },
    { role: "assistant", content: [{ type: "tool_use", id: "1", name: "t", input: { a: 1 } }] },
    {
      role: "user",
      content: { type: "tool_result", toolUseId: "1", content: [{ type: "text", text: "x" }], isError: false },
    },
  ],
  maxTokens: 10,
  systemPrompt: "s",
  includeContext: "none",
  temperature: 0.5,
  stopSequences: ["."],
  modelPreferences: { hints: [{ name: "m" }], costPriority: 0.1 },
  tools: [{ name: "t", description: "d", inputSchema: { type: "object" } }],
  toolChoice: { mode: "auto" },
};
