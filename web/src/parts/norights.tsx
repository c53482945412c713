// What somebody sees who opens the address of a page that is for others.
interface Props {
  title: string;
  children: string; // who sees the page
}

export function NoRights({ title, children }: Props) {
  return (
    <>
      <div class="head"><h1>{title}</h1></div>
      <p class="note">{children}</p>
    </>
  );
}
