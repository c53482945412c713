// The numbers of a product as files.
import type { RefObject } from "preact";
import { authorized } from "../api";
import { download } from "../parts/download";
import { png } from "../parts/png";
import { useSubmit } from "../parts/submit";

interface Props {
  url: string; // of the report
  name: string; // of the files, without their ending
  title: string; // of the picture
  chart: RefObject<HTMLElement | null>; // has the canvas
}

export function SaveButtons({ url, name, title, chart }: Props) {
  const submit = useSubmit();
  const csv = () => submit.run(async () => download(`${name}.csv`, await (await authorized(url, { headers: { Accept: "text/csv" } })).blob()));
  const picture = () => submit.run(async () => {
    const canvas = chart.current?.querySelector("canvas");
    if (canvas) download(`${name}.png`, await png(canvas, title));
  });
  return (
    <div class="pills" role="group" aria-label="Save">
      <button type="button" disabled={submit.busy} onClick={() => void csv()}>CSV</button>
      <button type="button" disabled={submit.busy} onClick={() => void picture()}>PNG</button>
      {submit.failure !== "" && <span class="note" role="alert">{submit.failure}</span>}
    </div>
  );
}
