// Numbers, money and times as the reader's locale writes them.

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const signed = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1, signDisplay: "exceptZero" });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

export const number = (n: number): string => whole.format(n);
export const compact = (n: number): string => short.format(n);
export const change = (n: number): string => signed.format(n);
export const share = (n: number | null | undefined): string => (n === null || n === undefined ? "–" : percent.format(n));

// decimalsOf returns how many decimals a currency has: 0 to 3, and 2 for a code that is none.
export function decimalsOf(currency: string): number {
  if (!/^[A-Za-z]{3}$/.test(currency)) return 2;
  return new Intl.NumberFormat(undefined, { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
}

// money writes an amount in minor units of a currency.
export function money(minor: number, currency: string): string {
  return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(minor / 10 ** decimalsOf(currency));
}

// plainMoney writes an amount as it is typed: 129.00.
export const plainMoney = (minor: number, currency: string): string => (minor / 10 ** decimalsOf(currency)).toFixed(decimalsOf(currency));

// minorOf reads a typed amount, with a point or a comma before its decimals. It returns undefined for anything else.
export function minorOf(text: string, currency: string): number | undefined {
  const decimals = decimalsOf(currency), parts = /^(\d{1,12})(?:[.,](\d+))?$/.exec(text.trim());
  if (!parts || (parts[2] ?? "").length > decimals) return undefined;
  return Number(parts[1]! + (parts[2] ?? "").padEnd(decimals, "0"));
}

// amount is money without decimals from ten thousand on, where nobody reads them.
export function amount(minor: number, currency: string): string {
  const decimals = decimalsOf(currency), value = minor / 10 ** decimals;
  const digits = Math.abs(value) >= 1e4 ? 0 : decimals;
  return new Intl.NumberFormat(undefined, { style: "currency", currency, maximumFractionDigits: digits, minimumFractionDigits: digits }).format(value);
}

// briefMoney is money as a mark of an axis: €1.2K.
export function briefMoney(minor: number, currency: string): string {
  return new Intl.NumberFormat(undefined, { style: "currency", currency, notation: "compact", maximumFractionDigits: 1 }).format(minor / 10 ** decimalsOf(currency));
}

// day writes a date of the project, which has no time zone.
export function day(date: string): string {
  return new Date(date + "T00:00:00Z").toLocaleDateString(undefined, { timeZone: "UTC", year: "numeric", month: "short", day: "numeric" });
}

// moment writes when an interval begins, as the clocks of the project show it.
export function moment(start: string, interval: string, zone: string): string {
  const at = new Date(start);
  switch (interval) {
    case "hour":
      return at.toLocaleString(undefined, { timeZone: zone, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
    case "month":
      return at.toLocaleDateString(undefined, { timeZone: zone, year: "numeric", month: "long" });
    default:
      return at.toLocaleDateString(undefined, { timeZone: zone, weekday: "short", year: "numeric", month: "short", day: "numeric" });
  }
}

// tick writes a mark of a time axis.
export function tick(seconds: number, interval: string, zone: string): string {
  const at = new Date(seconds * 1000);
  if (interval === "month") return at.toLocaleDateString(undefined, { timeZone: zone, year: "numeric", month: "short" });
  const time = at.toLocaleTimeString(undefined, { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (interval === "hour" && time !== "00:00") return time;
  return at.toLocaleDateString(undefined, { timeZone: zone, month: "short", day: "numeric" });
}

// ago says how long ago a time was.
export function ago(time: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 5) return "just now";
  if (seconds < 90) return `${seconds} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return new Date(time).toLocaleString();
}

// exact writes a time to the second, as the clocks of the project show it.
export function exact(time: string, zone: string): string {
  return new Date(time).toLocaleString(undefined, { timeZone: zone, dateStyle: "medium", timeStyle: "medium" });
}

// bytes writes a size: 1.2 GiB.
export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"], at = n < 1 ? 0 : Math.min(Math.floor(Math.log2(n) / 10), units.length - 1);
  return `${new Intl.NumberFormat(undefined, { maximumFractionDigits: at === 0 ? 0 : 1 }).format(n / 1024 ** at)} ${units[at]}`;
}

// span writes a time in seconds: 3 min.
export function span(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
