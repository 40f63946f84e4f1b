/* demo: the chefs of the demo, a table. */
#ifndef SF_SERVICES_COOCOOK_DEMO_H
#define SF_SERVICES_COOCOOK_DEMO_H

struct coocook_demo_chef {
	const char *name, *cuisine, *location;
	int price; /* of an hour, in thousands of won */
	const char *bio;
};
extern const struct coocook_demo_chef coocook_demo_chefs[]; /* ends with name NULL */

#endif
