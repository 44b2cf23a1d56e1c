import { canonicalText, isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";

/** A refusal of the command that serves the page, or of the enclave behind it. */
export class Refusal extends Error {
  readonly code: string;
  readonly action: string;

  constructor(code: string, message: string, action: string) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.action = action;
  }
}

/** Asks the command. @throws Refusal */
export async function ask(path: string, body?: JsonValue): Promise<JsonObject> {
  const init =
    body === undefined
      ? { method: "GET" }
      : { method: "POST", headers: { "content-type": "application/json" }, body: canonicalText(body) };
  let answer: Response;
  try {
    answer = await fetch(`api/${path}`, { ...init, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch {
    throw new Refusal(
      "STOPPED",
      "The command that serves this page has stopped.",
      "start it again, and open the address that it prints",
    );
  }
  const said = (await answer.json()) as JsonValue;
  if (!isJsonObject(said)) throw new Refusal("INTERNAL", "The command answered with nothing.", "start it again");
  if (answer.ok) return said;
  const { code, message, action } = isJsonObject(said["error"]) ? said["error"] : {};
  throw new Refusal(textOf(code), textOf(message), textOf(action));
}

/** A text or number of an answer; nothing for any other value. */
export function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}
