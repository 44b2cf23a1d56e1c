import { setFlagsFromString } from "node:v8";

/** What is asked of V8 in the host process, and in the enclave where that is a process too. */
export const ENGINE_FLAGS: readonly string[] = [
  // Functions are optimised after 500 runs instead of 3000: most run once or twice a call, and see the same in every call.
  "--invocation-count-for-turbofan=500",
  // One thread collects the new space: a call leaves little there, less than it takes to wake others for it.
  "--no-parallel-scavenge",
  // The old space may grow to twice what it held. The room V8 leaves a small heap is less than its new space, and then it
  // marks the whole heap several times a second instead of collecting the new space.
  "--heap-growing-percent=100",
];

/** Sets {@link ENGINE_FLAGS}; they hold for what is compiled and collected from then on. */
export function setEngineFlags(): void {
  for (const flag of ENGINE_FLAGS) setFlagsFromString(flag);
}
