import { createMCPClient } from "@ai-sdk/mcp";
import { generateText, stepCountIs } from "ai";
import { MockLanguageModelV4 } from "ai/test";
import type { Agent, Task, Transcript } from "./task.ts";

type Turn = Awaited<ReturnType<MockLanguageModelV4["doGenerate"]>>;
type Message = MockLanguageModelV4["doGenerateCalls"][number]["prompt"][number];

const NO_USAGE: Turn["usage"] = {
  inputTokens: { total: 0, noCache: 0, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 0, text: 0, reasoning: 0 },
};

const turn = (content: Turn["content"], unified: Turn["finishReason"]["unified"]): Turn => ({
  content,
  finishReason: { unified, raw: undefined },
  usage: NO_USAGE,
  warnings: [],
});

/** The tool results in what the model was given. */
function answersIn(prompt: readonly Message[]): Transcript["answers"] {
  return prompt
    .flatMap((message) => (message.role === "tool" ? message.content : []))
    .flatMap((part) => (part.type === "tool-result" ? [part.output] : []))
    .map((output) => {
      if (output.type === "content")
        return { text: output.value.map((part) => (part.type === "text" ? part.text : "")).join(""), error: null };
      if (output.type === "text" || output.type === "error-text")
        return { text: output.value, error: output.type === "error-text" };
      throw new Error(`the model was given a ${output.type}`);
    });
}

/** Posts what the model was given last, and waits for the answer. */
async function nextTurn({ turns }: Task, prompt: readonly Message[]): Promise<void> {
  if (turns === undefined) return;
  const { ok, status } = await fetch(turns, { method: "POST", body: answersIn(prompt).at(-1)?.text ?? "" });
  if (!ok) throw new Error(`the script was not let on: ${status}`);
}

/** A run of the AI SDK whose model is a script. */
export const aiSdkAgent: Agent = async (task) => {
  const client = await createMCPClient({
    transport: { type: "http", url: task.url, headers: { Authorization: `Bearer ${task.token}` } },
    protocolVersionDiscovery: task.mode === "auto",
  });
  try {
    const turns = task.calls.map(({ tool, arguments: input }, index) =>
      turn(
        [{ type: "tool-call", toolCallId: `call-${index}`, toolName: tool, input: JSON.stringify(input) }],
        "tool-calls",
      ),
    );
    const script = [...turns, turn([{ type: "text", text: "done" }], "stop")].values();
    const model = new MockLanguageModelV4({
      doGenerate: async ({ prompt }) => {
        await nextTurn(task, prompt);
        const { value, done } = script.next();
        if (done === true) throw new Error("the script is at its end");
        return value;
      },
    });
    const run = await generateText({
      model,
      tools: await client.tools(),
      prompt: "begin",
      stopWhen: stepCountIs(task.calls.length + 1),
    });
    return {
      protocol: client.initializeResult.protocolVersion,
      answers: answersIn(model.doGenerateCalls.at(-1)?.prompt ?? []),
      end: run.text,
    };
  } finally {
    await client.close();
  }
};
