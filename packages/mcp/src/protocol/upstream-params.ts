import type { JsonObject } from "@cmcp/boundary";
import type { SentContent } from "./request.ts";

function meta({ request: { trace } }: SentContent): JsonObject {
  return trace === null ? {} : { _meta: trace };
}

function input({ input: given }: SentContent): JsonObject {
  return {
    ...(given?.responses == null ? {} : { inputResponses: { ...given.responses } }),
    ...(given?.state == null ? {} : { requestState: given.state }),
  };
}

/** A call by name and arguments, and as a task where the agent asked for one. */
export function invocation(sent: SentContent): JsonObject {
  const { name, arguments: args, task } = sent.request;
  return {
    name,
    arguments: args,
    ...input(sent),
    ...(task === null ? {} : { task: task.ttlMs === null ? {} : { ttl: task.ttlMs } }),
    ...meta(sent),
  };
}

export function resource(sent: SentContent): JsonObject {
  return { uri: sent.request.name, ...input(sent), ...meta(sent) };
}

export function completion(sent: SentContent): JsonObject {
  const { completion: wanted } = sent.request;
  if (wanted === null) return meta(sent);
  const { reference, argument, known } = wanted;
  return {
    ref:
      reference.type === "ref/prompt"
        ? { type: reference.type, name: reference.name }
        : { type: reference.type, uri: reference.uri },
    argument: { name: argument.name, value: argument.value },
    ...(Object.keys(known).length === 0 ? {} : { context: { arguments: { ...known } } }),
    ...meta(sent),
  };
}

export function task(sent: SentContent): JsonObject {
  return { ...cancelledTask(sent), ...input(sent), ...meta(sent) };
}

/** A cancellation is always allowed, and therefore says nothing but what it cancels. */
export function cancelledTask({ request: { name }, taskId }: SentContent): JsonObject {
  return { taskId: taskId ?? name };
}

/** As {@link cancelledTask}. */
export function unsubscription({ request: { name } }: SentContent): JsonObject {
  return { uri: name };
}
