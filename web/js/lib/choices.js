// Places and cuisines that forms suggest; any other may be typed.
export const CITIES = ['Seoul', 'Busan', 'Incheon', 'Daegu', 'Daejeon', 'Gwangju', 'Ulsan', 'Suwon', 'Jeju', 'Jeonju'];
export const CUISINES = ['Korean', 'Japanese', 'Chinese', 'Italian', 'French', 'Thai', 'Indian', 'Mexican', 'Vegan', 'Dessert'];
