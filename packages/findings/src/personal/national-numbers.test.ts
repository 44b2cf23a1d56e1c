import assert from "node:assert/strict";
import { test } from "node:test";
import { verhoeff } from "./check-digits.ts";
import { isCodiceFiscale, isDni, nationalKinds } from "./national-numbers.ts";

/** Numbers whose check digits all hold, and whether the rest of each is as its issuer gives them out. */
const NUMBERS: readonly (readonly [kind: string, word: string, numbers: Readonly<Record<string, boolean>>])[] = [
  [
    "us-ssn",
    "ssn",
    {
      "001010001": true,
      "665010001": true,
      "667010001": true,
      "899010001": true,
      "000010001": false,
      "666010001": false,
      "900010001": false,
      "219000001": false,
      "219001111": false,
      "219010000": false,
    },
  ],
  ["uk-nhs", "nhs", { "4000000004": true, "1000000060": true, "4000000005": false }],
  [
    "de-steuer-id",
    "steuer",
    {
      "11234567890": true,
      "11123456786": true,
      "11112345678": false,
      "11223456785": false,
      "01123456782": false,
    },
  ],
  [
    "pl-pesel",
    "pesel",
    {
      "02211500005": true,
      "02921500007": true,
      "99810100006": true,
      "99123100003": true,
      "99213100005": true,
      "99000100001": false,
      "99130100007": false,
      "99010000005": false,
      "99013200006": false,
    },
  ],
  [
    "se-personnummer",
    "personnummer",
    {
      "8112319879": true,
      "8101019878": true,
      "8112619872": true,
      "8112919876": true,
      "198112189876": true,
      "8112009876": false,
      "8112329878": false,
      "8112929875": false,
      "8100189870": false,
      "8113189875": false,
    },
  ],
  ["br-cpf", "cpf", { "52998224725": true, "11111111111": false }],
  ["nl-bsn", "bsn", { "111222333": true, "123456782": true, "000000000": false }],
  [
    "fr-nir",
    "nir",
    { "155081416802588": true, "255081416802538": true, "355081416802585": false, "055081416802541": false },
  ],
  ["ca-sin", "sin", { "123456782": true, "923456784": true, "023456783": false, "823456785": false }],
];

for (const [kind, word, numbers] of NUMBERS)
  test(`${kind}: what is given out, and what only has the check digits`, () => {
    for (const [number, expected] of Object.entries(numbers))
      assert.equal(nationalKinds(number, word).includes(kind), expected, number);
  });

test("an Aadhaar number begins with 2 to 9", () => {
  for (let first = 0; first <= 9; first += 1) {
    const digits = [first, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4];
    const check = Array.from({ length: 10 }, (_, digit) => digit).find((digit) => verhoeff([...digits, digit]));
    assert.deepEqual(
      nationalKinds([...digits, check].join(""), "aadhaar"),
      first > 1 ? ["in-aadhaar"] : [],
      String(first),
    );
  }
});

test("a codice fiscale has the check letter that its other characters give, and no other", () => {
  for (const code of [
    "ANBOCP05A11A062Q",
    "DQERFS15B12A163A",
    "GTHUIV25C13A264Y",
    "JWKXLY35D14A365V",
    "MZNAOB45E15A466M",
    "PCQDRE55H16A567J",
    "SFTGUH65L17A668M",
    "VIWJXK75M18A769G",
    "YLZMAN85P19A860D",
  ]) {
    const right = code.at(-1);
    for (const check of "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
      assert.equal(isCodiceFiscale(`${code.slice(0, -1)}${check}`), check === right, code);
  }
});

test("a DNI or NIE has the letter that its number gives", () => {
  for (const [number, letter] of [
    ["00000000", "T"],
    ["00000022", "E"],
    ["00000023", "T"],
    ["12345678", "Z"],
    ["X0000000", "T"],
    ["Y0000000", "Z"],
    ["Z0000000", "M"],
    ["X-1234567-", "L"],
  ] as const)
    for (const other of "TRWAGMYFPDXBNJZSQVHLCKE") assert.equal(isDni(`${number}${other}`), other === letter, number);
});

test("a number of another length is none, and neither is one that another's word names", () => {
  for (const [number, word] of [
    ["21909999", "ssn"],
    ["2190999991", "ssn"],
    ["219099999", "nhs"],
    ["19811218987", "personnummer"],
  ] as const)
    assert.deepEqual(nationalKinds(number, word), [], number);
});
