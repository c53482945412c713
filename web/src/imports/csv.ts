// Rows of a CSV file (RFC 4180), as spreadsheets of all countries write them.

export interface Row {
  line: number; // where it begins in the file, from 1
  cells: string[];
  broken?: boolean; // a quote is not closed, so the cells are not what was meant
}

// decode returns the text of a file: UTF-8, UTF-16 with a mark, or else the Windows code page of Western Europe.
export function decode(bytes: ArrayBuffer): string {
  const [first, second] = new Uint8Array(bytes.slice(0, 2));
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

// separatorOf returns what separates the cells: the one of the usual characters that the first line has most of.
export function separatorOf(text: string): string {
  const [headings = ""] = text.split(/[\r\n]/, 1);
  const unquoted = headings.replace(/"[^"]*"/g, "");
  const count = (separator: string) => unquoted.split(separator).length;
  return [",", ";", "\t", "|"].reduce((best, next) => (count(next) > count(best) ? next : best));
}

// rows returns the rows that are not blank.
export function* rows(text: string, separator: string): Generator<Row> {
  let at = 0, line = 1;
  while (at < text.length) {
    const row: Row = { line, cells: [] };
    for (;;) {
      const cell = cellAt(text, at, separator);
      row.cells.push(cell.text);
      row.broken ||= cell.broken;
      line += cell.breaks;
      at = cell.end;
      if (text[at] !== separator) break;
      at++;
    }
    at += text[at] === "\r" && text[at + 1] === "\n" ? 2 : 1;
    line++;
    if (row.cells.length > 1 || row.cells[0] !== "") yield row;
  }
}

// cellAt returns the cell that begins at a position, where it ends, and how many line breaks its quotes hold.
function cellAt(text: string, at: number, separator: string): { text: string; end: number; breaks: number; broken: boolean } {
  let value = "", broken = false;
  if (text[at] === '"') {
    for (at++; ; at++) {
      const quote = text.indexOf('"', at);
      broken = quote < 0;
      value += text.slice(at, broken ? undefined : quote);
      at = broken ? text.length : quote + 1;
      if (text[at] !== '"') break;
      value += '"';
    }
  }
  const breaks = value.match(/\r\n|\r|\n/g)?.length ?? 0;
  let end = at;
  while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") end++;
  return { text: value + text.slice(at, end), end, breaks, broken };
}

// write returns a CSV file.
export function write(lines: string[][]): string {
  const cell = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return lines.map((cells) => cells.map(cell).join(",") + "\r\n").join("");
}
