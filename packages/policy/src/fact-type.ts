/** A Cedar type the gateway can supply. */
export type FactType =
  | { readonly kind: "String" | "Long" | "Bool" }
  | { readonly kind: "Set"; readonly element: FactType }
  | {
      readonly kind: "Record";
      readonly members: ReadonlyMap<string, FactType>;
      /** Type of the members whose names a bundle chooses; absent where it chooses none. */
      readonly others?: FactType;
    };

/** A value of a {@link FactType}. */
export type FactValue = string | number | boolean | readonly FactValue[] | { readonly [member: string]: FactValue };

/** A scalar type. */
export const STRING: FactType = { kind: "String" };
/** A scalar type: a 64-bit number, of which the gateway supplies safe integers. */
export const LONG: FactType = { kind: "Long" };
/** A scalar type. */
export const BOOL: FactType = { kind: "Bool" };
/** A set of texts. */
export const STRINGS: FactType = { kind: "Set", element: STRING };

/** A record that always has each of these members. */
export function recordType(members: Readonly<Record<string, FactType>>): FactType {
  return { kind: "Record", members: new Map(Object.entries(members)) };
}

/** The type of a record's member; `undefined` for a member that no record of the type has, and for another type. */
export function memberType(type: FactType, name: string): FactType | undefined {
  return type.kind === "Record" ? (type.members.get(name) ?? type.others) : undefined;
}
