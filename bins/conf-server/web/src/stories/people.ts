/** Made-up people, pictures and messages. */
import type { Person } from '../lib/meeting.svelte';
import type { ChatMessage, Participant } from '../lib/wire';

export const NAMES = [
  'Ada Lovelace', 'Noor van der Meer-Hohenstein', 'يوسف العلي', 'Kim', 'Dr. Maximiliane Freifrau von und zu Beispielhausen-Musterstadt', 'Ben Okafor', '李小龙', 'Zoë Åström', 'Priya Raman', 'Tomás Ó Súilleabháin',
  'אריאל לוי', 'Juno', 'Mehmet Yılmaz', 'Frida', 'Oleksandr', 'Grace H.', 'Linus', 'Marta Nowak', 'Paul', 'Sofia Rossi', 'Jean-Luc', 'Hedy', 'Rosalind F.', 'Emmy', 'Alan', 'Katherine', 'Dorothy', 'Mary', 'Chien-Shiung', 'Barbara',
];

export function person(at: number): Participant {
  return {
    id: `p-${(at * 7919 + 42).toString(16).padStart(16, '0')}`,
    name: NAMES[at % NAMES.length] ?? 'X',
    role: at === 0 || at === 3 ? 'moderator' : 'viewer',
    presence: at === 7 ? 'reconnecting' : 'connected',
    joined_at: new Date(1_790_000_000_000 + at * 1_000).toISOString(),
    hand: at === 2 || at === 5,
    microphone: at % 3 === 1 ? 'muted' : 'on',
    camera: at % 4 === 3 ? 'off' : 'on',
    screen: false,
  };
}

const SAID = [
  [0, 'Good morning! The agenda is at https://example.org/agenda?id=7.'],
  [0, 'We start in two minutes.'],
  [1, 'Guten Morgen zusammen 👋'],
  [2, 'صباح الخير للجميع'],
  [4, 'Ich habe die Donaudampfschifffahrtsgesellschaftskapitänsmützenabrechnung noch einmal durchgesehen – zwei Zahlen auf Seite 4 stimmen nicht. Könnten wir das gleich zu Beginn besprechen?'],
  [1, 'Sure.\nLet me open it.'],
  [0, 'Thanks!'],
] as const;

export function messages(): ChatMessage[] {
  return SAID.map(([from, text], at) => ({ id: at + 1, from: person(from).id, name: person(from).name, sent_at: new Date(1_790_000_000_000 + at * 65_000).toISOString(), text }));
}

/** A moving picture that looks a little like somebody before a wall; a stand-in for a remote track. */
export function picture(at: number, width = 640, height = 360): { attach: (video: HTMLVideoElement) => void; detach: (video: HTMLVideoElement) => void } {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const paint = canvas.getContext('2d');
  const hue = (at * 47 + 20) % 360;
  const draw = () => {
    if (!paint) return;
    const wall = paint.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, `hsl(${hue} 24% 62%)`);
    wall.addColorStop(1, `hsl(${(hue + 40) % 360} 26% 32%)`);
    paint.fillStyle = wall;
    paint.fillRect(0, 0, width, height);
    const x = width * (0.5 + Math.sin(at) * 0.06);
    paint.fillStyle = `hsl(${(hue + 190) % 360} 30% 26%)`;
    paint.beginPath();
    paint.ellipse(x, height * 1.05, height * 0.42, height * 0.42, 0, 0, 7);
    paint.fill();
    paint.fillStyle = ['#e0b08c', '#8d5a3c', '#f0c8a8', '#b98260'][at % 4] ?? '#e0b08c';
    paint.beginPath();
    paint.ellipse(x, height * 0.44, height * 0.16, height * 0.21, 0, 0, 7);
    paint.fill();
  };
  draw();
  setInterval(draw, 250);
  const stream = canvas.captureStream(8);
  return { attach: (video) => void (video.srcObject = stream), detach: (video) => void (video.srcObject = null) };
}

export function slide(): ReturnType<typeof picture> {
  const canvas = document.createElement('canvas');
  canvas.width = 1280;
  canvas.height = 720;
  const paint = canvas.getContext('2d');
  const draw = () => {
    if (!paint) return;
    paint.fillStyle = '#fbfaf7';
    paint.fillRect(0, 0, 1280, 720);
    paint.fillStyle = '#13191b';
    paint.font = '700 56px Inter Variable, sans-serif';
    paint.fillText('Quarterly review', 90, 150);
    paint.font = '400 28px Inter Variable, sans-serif';
    for (const [row, text] of ['Revenue by region', 'What changed since March', 'Open questions', 'Decisions for today'].entries()) paint.fillText(`– ${text}`, 92, 240 + row * 54);
    for (let bar = 0; bar < 7; bar += 1) {
      paint.fillStyle = bar === 4 ? '#0b6f76' : '#a9c9c9';
      paint.fillRect(700 + bar * 68, 600 - (80 + ((bar * 53) % 190)), 44, 80 + ((bar * 53) % 190));
    }
  };
  draw();
  setInterval(draw, 500);
  const stream = canvas.captureStream(4);
  return { attach: (video) => void (video.srcObject = stream), detach: (video) => void (video.srcObject = null) };
}

export type { Person };
