import type { JsonObject, JsonValue } from "@cmcp/boundary";
import { MAX_WORD } from "../shape/content.ts";
import { list, members, text, uri, word, type Shape } from "../shape/members.ts";
import { samplingAnswer } from "../shape/sampling.ts";
import { readFormAnswer } from "./form-answer.ts";

/** An agent's answer as a server is given it, or why it is not. The reason holds no part of the answer. */
export type CheckedAnswer =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly why: string };

const MAX_ROOTS = 1_000;

/** MCP 2025-11-25 "Root": `uri` starts with `file://`. */
const file: Shape = (value, at, surplus) =>
  typeof value === "string" && value.startsWith("file://") ? uri(value, at, surplus) : undefined;
const roots = members({ roots: list(members({ uri: file }, { name: text(MAX_WORD) }), MAX_ROOTS) });
const action = members({ action: word("accept", "decline", "cancel") });

function elicited(question: JsonObject, answer: JsonValue): JsonObject | undefined {
  const read = action(answer, "", []);
  if (read?.["action"] !== "accept" || question["mode"] === "url") return read;
  const { content } = answer as JsonObject;
  const filled = readFormAnswer(question["requestedSchema"], content);
  return filled === null ? undefined : { ...read, content: filled };
}

/**
 * Rebuilds an agent's answer to a server's question from what was asked: the fields of the form, a sampled message, or
 * roots. What nobody asked for does not reach the server; a field of a form that was not asked for, or not like this,
 * refuses the answer.
 * @param question the parameters that the agent was asked with, as `inspectQuestion` left them
 */
export function inspectQuestionAnswer(method: string, question: JsonObject, answer: JsonValue): CheckedAnswer {
  const value = answerTo(method, question, answer);
  return value === undefined
    ? { ok: false, why: "the answer is not one to the question that was asked" }
    : { ok: true, value };
}

function answerTo(method: string, question: JsonObject, answer: JsonValue): JsonObject | undefined {
  switch (method) {
    case "elicitation/create":
      return elicited(question, answer);
    case "sampling/createMessage":
      return samplingAnswer(answer, "", []);
    case "roots/list":
      return roots(answer, "", []);
    default:
      return undefined;
  }
}
