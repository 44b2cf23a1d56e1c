import { setFlagsFromString } from "node:v8";

/** What is asked of V8 in the host process, and in the enclave where that is a process too. */
export const ENGINE_FLAGS: readonly string[] = [
  // Functions are optimised after 500 runs instead of 3000: most run once or twice a call, and see the same in every
  // call.
  "--invocation-count-for-turbofan=500",
  // One thread collects the new space: a call leaves little there, less than it takes to wake others for it.
  "--no-parallel-scavenge",
];

/**
 * What is asked of it in the host process alone. The old space may grow to five times what it held. V8 marks the whole
 * heap when what is left of that room is less than the new space, and counts against it every buffer that came since it
 * last marked. A host reads everything into buffers: with V8's own room, or one of twice what it held, it marked as
 * often as it collected the new space, several times a second.
 */
export const HOST_ENGINE_FLAGS: readonly string[] = [...ENGINE_FLAGS, "--heap-growing-percent=400"];

/** Sets {@link HOST_ENGINE_FLAGS}; they hold for what is compiled and collected from then on. */
export function setEngineFlags(): void {
  for (const flag of HOST_ENGINE_FLAGS) setFlagsFromString(flag);
}
