// The nine modules of the platform: what each is for, in a sentence.
export const modules = [
  { id: 'coocook', name: 'CooCook', icon: 'chef', hue: 'red', open: true, href: '/chefs',
    text: 'Book private chefs by the hour, with calendars, payment and reviews that agree with each other.' },
  { id: 'sns-auto', name: 'SNS Auto', icon: 'share', hue: 'indigo', text: 'Write a post once, schedule it everywhere; each is published exactly once.' },
  { id: 'review', name: 'Review', icon: 'megaphone', hue: 'plum', text: 'Campaigns that find reviewers, match influencers and pay rewards on time.' },
  { id: 'ai-automation', name: 'AI Automation', icon: 'spark', hue: 'amber', text: 'Digital employees for mail, posts, support and data entry, with their hours counted.' },
  { id: 'webapp-builder', name: 'WebApp Builder', icon: 'layout', hue: 'blue', text: 'Courses, projects and one-step deployment for people who build their first web app.' },
  { id: 'experience', name: 'Experience', icon: 'globe', hue: 'teal', text: 'Listings of product trials from many sites in one searchable place.' },
  { id: 'validation', name: 'Live validation', icon: 'pulse', hue: 'green', text: 'App events checked against their rules while they arrive.' },
  { id: 'ops', name: 'Operations', icon: 'gauge', hue: 'olive', text: 'Rates, queues, caches and workers of the platform itself, live.' },
  { id: 'telegram', name: 'Telegram', icon: 'send', hue: 'rose', text: 'Bookings, posts and alerts in the chat you already have open.' },
];
