// Pictures of charts.

const margin = 16, titleHeight = 36; // in CSS pixels

// png returns a picture of a chart under its title, on the ground that the page has.
export async function png(chart: HTMLCanvasElement, title: string): Promise<Blob> {
  const style = getComputedStyle(document.documentElement), scale = chart.width / chart.clientWidth;
  const picture = document.createElement("canvas"), brush = picture.getContext("2d")!;
  picture.width = chart.width + 2 * margin * scale;
  picture.height = chart.height + (2 * margin + titleHeight) * scale;
  brush.fillStyle = style.getPropertyValue("--card");
  brush.fillRect(0, 0, picture.width, picture.height);
  brush.fillStyle = style.getPropertyValue("--text");
  brush.font = `600 ${15 * scale}px system-ui, sans-serif`;
  brush.fillText(title, margin * scale, (margin + 16) * scale, picture.width - 2 * margin * scale);
  brush.drawImage(chart, margin * scale, (margin + titleHeight) * scale);
  return new Promise((resolve, reject) => picture.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("The browser makes no picture.")))));
}
