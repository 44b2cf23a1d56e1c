import {
  CLIENT_CAPABILITIES_META_KEY,
  acceptedContent,
  inputRequired,
  inputResponse,
  type CallToolResult,
  type ClientCapabilities,
  type ElicitRequestFormParams,
  type InputRequest,
  type InputRequiredResult,
  type McpServer,
  type RequestStateCodec,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { text } from "./content.ts";

/** What a `requestState` of this server says: which question is answered next. */
type State = RequestStateCodec<{ round: string }>;
type Answer = CallToolResult | InputRequiredResult;

function ask(message: string, properties: ElicitRequestFormParams["requestedSchema"]["properties"]): InputRequest {
  return inputRequired.elicit({
    message,
    requestedSchema: { type: "object", properties, required: Object.keys(properties) },
  });
}

function sample(prompt: string, maxTokens: number): InputRequest {
  return inputRequired.createMessage({ messages: [{ role: "user", content: text(prompt) }], maxTokens });
}

function done(value: string): CallToolResult {
  return { content: [text(value)] };
}

const NAME = { user_name: ask("What is your name?", { name: { type: "string" } }) };

function elicits({ mcpReq }: ServerContext): Answer {
  const name = acceptedContent(mcpReq.inputResponses, "user_name")?.["name"];
  return typeof name === "string" ? done(`Hello, ${name}!`) : inputRequired({ inputRequests: NAME });
}

function samples({ mcpReq }: ServerContext): Answer {
  const answer = inputResponse(mcpReq.inputResponses, "capital_question");
  return answer.kind === "sampling"
    ? done(JSON.stringify(answer.result.content))
    : inputRequired({ inputRequests: { capital_question: sample("What is the capital of France?", 100) } });
}

function listsRoots({ mcpReq }: ServerContext): Answer {
  const answer = inputResponse(mcpReq.inputResponses, "client_roots");
  return answer.kind === "roots"
    ? done(answer.roots.map(({ uri }) => uri).join(" "))
    : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
}

/** Asks for a confirmation with a state, and takes it only together with that state. */
async function confirms(context: ServerContext, state: State): Promise<Answer> {
  const { mcpReq } = context;
  const confirmed = acceptedContent(mcpReq.inputResponses, "confirm") !== undefined;
  if (confirmed && mcpReq.requestState<{ round: string }>()?.round === "confirm") return done("state-ok");
  const requestState = await state.mint({ round: "confirm" }, context);
  return inputRequired({
    inputRequests: { confirm: ask("Please confirm", { ok: { type: "boolean" } }) },
    requestState,
  });
}

async function asksThrice(context: ServerContext, state: State): Promise<Answer> {
  const { inputResponses } = context.mcpReq;
  const name = acceptedContent(inputResponses, "user_name")?.["name"];
  const greeting = inputResponse(inputResponses, "greeting");
  const roots = inputResponse(inputResponses, "client_roots");
  if (typeof name === "string" && greeting.kind === "sampling" && roots.kind === "roots")
    return done(`${name}, ${roots.roots.length} roots`);
  const inputRequests = {
    ...NAME,
    greeting: sample("Generate a greeting", 50),
    client_roots: inputRequired.listRoots(),
  };
  return inputRequired({ inputRequests, requestState: await state.mint({ round: "all" }, context) });
}

/** Two questions, one after the other; the state says which one an answer belongs to. */
async function asksTwice(context: ServerContext, state: State): Promise<Answer> {
  const { mcpReq } = context;
  const round = mcpReq.requestState<{ round: string }>()?.round;
  if (round === "step2" && acceptedContent(mcpReq.inputResponses, "step2") !== undefined)
    return done("both steps answered");
  if (round === "step1" && acceptedContent(mcpReq.inputResponses, "step1") !== undefined) {
    return inputRequired({
      inputRequests: { step2: ask("Step 2: What is your favorite color?", { color: { type: "string" } }) },
      requestState: await state.mint({ round: "step2" }, context),
    });
  }
  return inputRequired({
    inputRequests: { step1: ask("Step 1: What is your name?", { name: { type: "string" } }) },
    requestState: await state.mint({ round: "step1" }, context),
  });
}

/** What the client of a request says it can do; the SDK has checked the envelope and publishes no type of its members. */
function declaredCapabilities({ envelope }: ServerContext["mcpReq"]): ClientCapabilities | undefined {
  const known: { readonly [CLIENT_CAPABILITIES_META_KEY]?: ClientCapabilities } | undefined = envelope;
  return known?.[CLIENT_CAPABILITIES_META_KEY];
}

/** Asks only in ways the client says it can answer. */
function asksWhatItMay({ mcpReq }: ServerContext): Answer {
  const declared = declaredCapabilities(mcpReq);
  const inputRequests: Record<string, InputRequest> = {};
  if (declared?.sampling !== undefined) inputRequests["greeting"] = sample("Generate a greeting", 50);
  if (declared?.elicitation !== undefined) Object.assign(inputRequests, NAME);
  if (Object.keys(inputRequests).length === 0 || mcpReq.inputResponses !== undefined)
    return done("nothing more to ask");
  return inputRequired({ inputRequests });
}

/** Reports progress and then asks, so that both travel on the response stream and nothing else does. */
async function streamsAndAsks(context: ServerContext): Promise<Answer> {
  await context.mcpReq.notify({
    method: "notifications/progress",
    params: { progressToken: context.mcpReq._meta?.progressToken ?? "streaming", progress: 1, total: 2 },
  });
  return elicits(context);
}

/** Registers every tool and prompt that needs more than one round trip (MCP 2026-07-28, "Multi Round-Trip Requests"). */
export function registerInputTools(server: McpServer, state: State): void {
  const tool = (name: string, description: string, run: (context: ServerContext) => Answer | Promise<Answer>): void => {
    server.registerTool(name, { description }, run);
  };
  tool("test_input_required_result_elicitation", "Asks for a name.", elicits);
  tool("test_input_required_result_sampling", "Asks for a sample.", samples);
  // Asks without looking: the SDK refuses in its stead when the client did not say it can sample.
  tool("test_missing_capability", "Needs a client that can sample.", samples);
  tool("test_input_required_result_list_roots", "Asks for roots.", listsRoots);
  tool("test_input_required_result_request_state", "Asks for a confirmation, with a state.", (context) =>
    confirms(context, state),
  );
  tool("test_input_required_result_tampered_state", "Takes no other state than its own.", (context) =>
    confirms(context, state),
  );
  tool("test_input_required_result_multiple_inputs", "Asks three things at once.", (context) =>
    asksThrice(context, state),
  );
  tool("test_input_required_result_multi_round", "Asks twice.", (context) => asksTwice(context, state));
  tool("test_input_required_result_capabilities", "Asks only what the client can answer.", asksWhatItMay);
  tool("test_streaming_elicitation", "Reports progress, then asks.", streamsAndAsks);
  server.registerPrompt(
    "test_input_required_result_prompt",
    { description: "A prompt that asks for its context." },
    ({ mcpReq }) => {
      const context = acceptedContent(mcpReq.inputResponses, "user_context")?.["context"];
      if (typeof context === "string") return { messages: [{ role: "user", content: text(context) }] };
      return inputRequired({
        inputRequests: { user_context: ask("What context should the prompt use?", { context: { type: "string" } }) },
      });
    },
  );
}
