import { toHex } from "@cmcp/boundary";
import { parseEfiVariable } from "./efi-variable.ts";
import {
  EV_EFI_VARIABLE_AUTHORITY,
  EV_EFI_VARIABLE_BOOT,
  EV_EFI_VARIABLE_BOOT2,
  EV_EFI_VARIABLE_DRIVER_CONFIG,
  EV_SEPARATOR,
  eventTypeName,
} from "./event-type.ts";
import { NO_REGISTER, type EventLog, type LogEvent } from "./parse.ts";
import type { RegisterKind } from "./replay.ts";

/** One line for a reader: what it is, and its value as printable text. */
export interface Row {
  readonly label: string;
  readonly value: string;
}

const MAX_TEXT = 160;
const VARIABLE_TYPES: readonly number[] = [
  EV_EFI_VARIABLE_DRIVER_CONFIG,
  EV_EFI_VARIABLE_BOOT,
  EV_EFI_VARIABLE_BOOT2,
  EV_EFI_VARIABLE_AUTHORITY,
];

/** The log for a person to read, event by event. It shows what the log says, not what was verified. */
export function describeEventLog(log: EventLog, kind: RegisterKind): readonly Row[] {
  const banks = log.algorithms.map(({ name }) => name).join(", ");
  const header: Row = { label: "event log", value: `${log.events.length} events, digests ${banks}` };
  return [
    header,
    ...log.events.map((event) => ({
      label: `${event.number} ${registerName(event.register, kind)} ${eventTypeName(event.type)}`,
      value: eventText(event),
    })),
  ];
}

function registerName(register: number, kind: RegisterKind): string {
  if (register === NO_REGISTER) return "no register";
  if (kind === "pcr") return `PCR ${register}`;
  return register === 0 ? "MRTD" : `RTMR${register - 1}`;
}

function eventText({ type, data }: LogEvent): string {
  if (type === EV_SEPARATOR) return toHex(data.subarray(0, 4));
  if (VARIABLE_TYPES.includes(type)) return variableText(data) ?? printable(data);
  return printable(data);
}

function variableText(data: Uint8Array): string | null {
  try {
    const { vendor, name, data: value } = parseEfiVariable(data);
    const shown = value.length <= 4 ? `= ${toHex(value)}` : `(${value.length} bytes)`;
    return `${printable(new TextEncoder().encode(name))} ${shown} of ${vendor}`;
  } catch {
    // Some firmware logs the bare value here; it is shown like any other data.
    return null;
  }
}

/** Printable ASCII of the data; hex when that is not what it is. Control characters never reach a terminal. */
function printable(data: Uint8Array): string {
  const end = data.at(-1) === 0 ? data.length - 1 : data.length;
  const text = data.subarray(0, end);
  const readable = text.length > 0 && text.every((byte) => byte >= 0x20 && byte < 0x7f);
  const shown = readable ? String.fromCharCode(...text.subarray(0, MAX_TEXT)) : toHex(data.subarray(0, MAX_TEXT / 2));
  const length = readable ? text.length : data.length * 2;
  return length > MAX_TEXT ? `${shown}… (${data.length} bytes)` : shown;
}
