// The button that shares what a page shows by a link, and the links that there are.
import { useState } from "preact/hooks";
import { address, send, type Answer, type Schemas } from "../api";
import { Dialog } from "./dialog";
import { Field } from "./field";
import { Failure } from "./fresh";
import { copyText, Secret } from "./secret";
import { useSubmit } from "./submit";
import { say } from "./toast";
import { useAnswer } from "../load";
import { isArchived, mayShare } from "../rights";
import { root } from "../route";
import { range } from "../shared";

type Links = Answer<"/auth/share-links">;
type Made = Schemas["ShareLinkCreated"];

interface Props {
  name: string; // of the page
  report: { kind: "overview" | "product"; product_id?: string };
}

export function Share(props: Props) {
  const [open, setOpen] = useState(false);
  if (!mayShare.value) return null;
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Share</button>
      {open && <ShareDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

const lives: [name: string, days: number][] = [["7 days", 7], ["30 days", 30], ["90 days", 90], ["a year", 365]];

function ShareDialog({ name, report, onClose }: Props & { onClose: () => void }) {
  const [title, setTitle] = useState(name);
  const [life, setLife] = useState(30);
  const [password, setPassword] = useState("");
  const [made, setMade] = useState<Made>();
  const links = useAnswer<Links>(address("/auth/share-links", undefined));
  const submit = useSubmit(["/name", "/password"]);
  const make = (event: SubmitEvent) => {
    event.preventDefault();
    void submit.run(async () => {
      const expires = new Date(Date.now() + life * 86_400_000).toISOString();
      setMade(await send("post", "/auth/share-links", {
        body: { name: title, report: { ...report, ...range.value }, expires_at: expires, ...(password !== "" && { password }) },
      }));
      links.retry();
    });
  };
  return (
    <Dialog title={`Share ${name}`} onClose={onClose}>
      {isArchived.value && <p>The project is archived. Links that there are still work, and you can revoke them.</p>}
      {made && <MadeLink link={made} />}
      {!made && !isArchived.value && (
        <form class="form" onSubmit={make}>
          <p>Whoever has the link sees these numbers and this chart, and nothing else. They need no account.</p>
          <Field label="Title" error={submit.errorOf("/name")}>
            {(wired) => <input {...wired} name="title" required maxLength={100} value={title} onInput={(event) => setTitle(event.currentTarget.value)} />}
          </Field>
          <Field label="Works for">
            {(wired) => (
              <select {...wired} name="life" value={life} onChange={(event) => setLife(Number(event.currentTarget.value))}>
                {lives.map(([name, days]) => <option key={days} value={days}>{name}</option>)}
              </select>
            )}
          </Field>
          <Field label="Password (optional)" help="At least 8 characters. Send it another way than the link." error={submit.errorOf("/password")}>
            {(wired) => (
              <input {...wired} name="link-password" type="password" autocomplete="new-password" minLength={8} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
            )}
          </Field>
          {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
          <div class="pills"><button class="primary" disabled={submit.busy}>Make the link</button></div>
        </form>
      )}
      <Failure loaded={links} />
      <Existing links={links.answer} onChanged={links.retry} />
    </Dialog>
  );
}

// MadeLink shows a new link, whose secret is never shown again.
function MadeLink({ link }: { link: Made }) {
  const at = location.origin + root + link.path;
  const embed = `<iframe src="${at.replace("#", "?embed=1#")}" width="800" height="600" title="HP Analytics"></iframe>`;
  return (
    <div class="form">
      <p>Copy the link now. It is not shown again.</p>
      <Secret label="Link" name="link" text={at} action="Copy the link" />
      <Field label="To show it in another page">{(wired) => <textarea {...wired} name="embed" rows={3} readOnly value={embed} />}</Field>
      <div class="pills"><button type="button" onClick={() => copyText(embed)}>Copy the code</button></div>
    </div>
  );
}

function Existing({ links, onChanged }: { links?: Links; onChanged: () => void }) {
  const submit = useSubmit();
  const works = links?.items.filter((link) => link.works) ?? [];
  if (works.length === 0) return null;
  const revoke = (link: Schemas["ShareLink"]) => submit.run(async () => {
    await send("delete", "/auth/share-links/{id}", { places: { id: link.id } });
    say(`The link ${link.name} does not work any more.`);
    onChanged();
  });
  return (
    <>
      <h3>Links of this project</h3>
      <div class="scroll">
        <table>
          <thead><tr><th>Title</th><th>Made by</th><th>Ends</th><th><span class="skip">Revoke</span></th></tr></thead>
          <tbody>
            {works.map((link) => (
              <tr key={link.id}>
                <td class="name">{link.name}{link.password && <span class="quiet"> with password</span>}</td>
                <td>{link.account}</td>
                <td>{new Date(link.expires_at).toLocaleDateString()}</td>
                <td><button type="button" disabled={submit.busy} aria-label={`Revoke ${link.name}`} onClick={() => void revoke(link)}>Revoke</button></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {submit.failure !== "" && <p class="note" role="alert">{submit.failure}</p>}
    </>
  );
}
